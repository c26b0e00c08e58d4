//! `sample-app import`: brings an event log in, each event once however often it is repeated.

pub(crate) mod attributes;
pub(crate) mod chunks;
pub(crate) mod cloud_event;
pub(crate) mod progress;
pub(crate) mod stream_template;

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use highwater::{BoxError, EventStore, Imported, StoreError};
use tokio::sync::mpsc;

use crate::args::ImportOptions;
use crate::import::chunks::{Chunk, Chunks, InputError};
use crate::import::cloud_event::{Rules, key};
use crate::import::progress::Progress;
use crate::retry::patiently;

/// How long to wait for a store that has gone away in the middle.
const PATIENCE: Duration = Duration::from_secs(60);

/// Chunks read ahead of the one that is being imported.
const CHUNKS_AHEAD: usize = 2;

/// Lines to tell of that are odd and do no harm.
const ODD_LINES_MAX: u64 = 10;

/// An event whose id the store knows for another one.
#[derive(Debug, thiserror::Error)]
#[error(
    "line {line}: {key} stands for another event in the database, in another stream or of another \
     type or with other data; if these are two logs that count alike, --id-prefix tells them apart"
)]
struct Refused {
    line: u64,
    key: String,
}

/// Imports a file, or standard input when there is none, and says what came of it.
///
/// Each chunk is imported whole or not at all; killed anywhere and repeated, the import leaves
/// exactly the events of the input behind.
pub(crate) async fn import<S: EventStore>(
    store: S,
    options: ImportOptions,
) -> Result<String, BoxError> {
    let (input, bytes) = open(options.file.as_deref())?;
    let mut progress = Progress::new(bytes);
    let mut chunks = read_ahead(progress.watch(input), options.rules);
    let (mut total, mut streams) = (Imported::default(), HashSet::new());
    let mut odd = OddLines::default();
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        let imported = import_chunk(&store, &chunk).await?;
        let repeated = chunk.repeated.len() as u64;
        total.appended += imported.appended;
        total.known += imported.known + repeated;
        odd.tell(&chunk);
        progress.advance(chunk.events.len() as u64 + repeated);
        streams.extend(chunk.events.into_iter().map(|(stream, _)| stream));
    }
    progress.finish();
    odd.tell_of_the_rest();
    let Imported { appended, known } = total;
    Ok(format!("{appended} events appended, {known} already known, {} streams", streams.len()))
}

/// Tells of lines that are odd and do no harm, the first few one by one.
#[derive(Debug, Default)]
struct OddLines(u64);

impl OddLines {
    fn tell(&mut self, chunk: &Chunk) {
        for line in &chunk.marked {
            self.line(format_args!("line {line}: the byte order mark in front is passed over"));
        }
        for (line, first) in &chunk.repeated {
            self.line(format_args!(
                "line {line}: the event of line {first} again, with the same source, id and data; \
                 it is imported once"
            ));
        }
    }

    fn line(&mut self, what: std::fmt::Arguments<'_>) {
        self.0 += 1;
        if self.0 <= ODD_LINES_MAX {
            tracing::warn!("{what}");
        }
    }

    fn tell_of_the_rest(&self) {
        let rest = self.0.saturating_sub(ODD_LINES_MAX);
        if rest > 0 {
            tracing::warn!("{rest} more lines repeat another one or begin with a byte order mark");
        }
    }
}

fn open(file: Option<&Path>) -> Result<(Box<dyn Read + Send>, Option<u64>), BoxError> {
    let Some(path) = file else { return Ok((Box::new(std::io::stdin()), None)) };
    let opened = File::open(path).and_then(|file| file.metadata().map(|about| (file, about.len())));
    match opened {
        Ok((file, bytes)) => Ok((Box::new(file), Some(bytes))),
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// Reads and parses in a thread of its own, while the store works.
///
/// A thread and not a blocking task: nobody waits at the end for one that hangs on its input.
fn read_ahead(
    input: impl Read + Send + 'static,
    rules: Rules,
) -> mpsc::Receiver<Result<Chunk, InputError>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    std::thread::spawn(move || {
        let chunks = match Chunks::new(input, rules) {
            Ok(chunks) => chunks,
            Err(source) => {
                let _nobody_listens =
                    sender.blocking_send(Err(InputError::Read { line: 1, source }));
                return;
            }
        };
        for chunk in chunks {
            if sender.blocking_send(chunk).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn import_chunk<S: EventStore>(store: &S, chunk: &Chunk) -> Result<Imported, BoxError> {
    if chunk.events.is_empty() {
        return Ok(Imported::default());
    }
    let imported = patiently(PATIENCE, || store.import(chunk.events.clone())).await;
    imported.map_err(|error| match &error {
        StoreError::EventIdTaken { id } => {
            let at = chunk.events.iter().position(|(_, event)| event.id == *id);
            match at {
                Some(at) => Refused { line: chunk.lines[at], key: key(&chunk.events[at].1) }.into(),
                None => error.into(),
            }
        }
        _ => error.into(),
    })
}
