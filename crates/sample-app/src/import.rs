//! `sample-app import`: brings an event log in, each event once however often it is repeated.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use highwater::{BoxError, EventStore, Imported, StoreError};
use tokio::sync::mpsc;

use crate::chunks::{Chunk, Chunks, InputError};
use crate::progress::Progress;
use crate::retry::patiently;

/// How long to wait for a store that has gone away in the middle.
const PATIENCE: Duration = Duration::from_secs(60);

/// Chunks read ahead of the one that is being imported.
const CHUNKS_AHEAD: usize = 2;

/// An event whose id the store knows for another one.
#[derive(Debug, thiserror::Error)]
#[error("line {line}")]
struct Refused {
    line: u64,
    #[source]
    source: StoreError,
}

/// Imports a file, or standard input when there is none, and prints what came of it.
///
/// Each chunk is imported whole or not at all; killed anywhere and repeated, the import leaves
/// exactly the events of the input behind.
pub(crate) async fn import<S: EventStore>(store: S, file: Option<&Path>) -> Result<(), BoxError> {
    let (input, bytes) = open(file)?;
    let mut progress = Progress::new(bytes);
    let mut chunks = read_ahead(progress.watch(input));
    let (mut total, mut streams) = (Imported::default(), HashSet::new());
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        let imported = import_chunk(&store, &chunk).await?;
        total.appended += imported.appended;
        total.known += imported.known + chunk.repeated;
        progress.advance(chunk.events.len() as u64 + chunk.repeated);
        streams.extend(chunk.events.into_iter().map(|(stream, _)| stream));
    }
    progress.finish();
    let Imported { appended, known } = total;
    println!("{appended} events appended, {known} already known, {} streams", streams.len());
    Ok(())
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
fn read_ahead(input: impl Read + Send + 'static) -> mpsc::Receiver<Result<Chunk, InputError>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_AHEAD);
    std::thread::spawn(move || {
        let chunks = match Chunks::new(input) {
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
        StoreError::IdTaken { id } => {
            let at = chunk.events.iter().position(|(_, event)| event.id == *id);
            match at {
                Some(at) => Refused { line: chunk.lines[at], source: error }.into(),
                None => error.into(),
            }
        }
        _ => error.into(),
    })
}
