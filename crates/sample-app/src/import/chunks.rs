//! Reads CloudEvents from a file or standard input, in chunks of bounded size.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use highwater::{EventId, NewEvent, StreamName};

use super::cloud_event::{BadLine, Rules, key};

/// Events in one chunk, which is imported atomically.
const CHUNK_EVENTS: usize = 2_000;

/// Bytes of lines after which a chunk is full; well below what a store takes at once.
const CHUNK_BYTES: usize = 4 << 20;

/// The longest line, more than the largest event needs.
const LINE_BYTES_MAX: usize = 4 << 20;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// What some programs put in front of UTF-8; several files in one have several.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Some lines of the input.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Events, each id once.
    pub(crate) events: Vec<(StreamName, NewEvent)>,
    /// The line of each event.
    pub(crate) lines: Vec<u64>,
    /// Lines that repeat another one of this chunk, and which.
    pub(crate) repeated: Vec<(u64, u64)>,
    /// Lines with a byte order mark in front.
    pub(crate) marked: Vec<u64>,
}

/// Why the input cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("line {line}")]
    Line {
        line: u64,
        #[source]
        source: BadLine,
    },
    #[error("line {line} is longer than {LINE_BYTES_MAX} bytes")]
    Long { line: u64 },
    #[error("line {line} cannot be read")]
    Read {
        line: u64,
        #[source]
        source: std::io::Error,
    },
}

/// The chunks of an input, which may be compressed; ends after an error.
pub(crate) struct Chunks {
    input: Box<dyn BufRead>,
    rules: Rules,
    line: u64,
    is_done: bool,
}

impl Chunks {
    /// Recognises gzip by its first bytes, whatever the name of the file.
    pub(crate) fn new(input: impl Read + 'static, rules: Rules) -> std::io::Result<Self> {
        let mut input = BufReader::new(input);
        let input: Box<dyn BufRead> = if input.fill_buf()?.starts_with(&GZIP) {
            Box::new(BufReader::new(MultiGzDecoder::new(input)))
        } else {
            Box::new(input)
        };
        Ok(Self { input, rules, line: 0, is_done: false })
    }

    fn read_chunk(&mut self) -> Result<Chunk, InputError> {
        let mut chunk = Chunk::default();
        let mut ids = HashMap::new();
        let (mut bytes, mut line) = (0, Vec::new());
        while chunk.events.len() < CHUNK_EVENTS && bytes < CHUNK_BYTES {
            line.clear();
            self.read_line(&mut line)?;
            if line.is_empty() {
                self.is_done = true;
                break;
            }
            bytes += line.len();
            let mut text = line.as_slice();
            while let Some(rest) = text.strip_prefix(&BYTE_ORDER_MARK) {
                text = rest;
                chunk.marked.push(self.line);
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            self.rules
                .parse(text)
                .and_then(|(stream, event)| chunk.add(&mut ids, self.line, stream, event))
                .map_err(|source| InputError::Line { line: self.line, source })?;
        }
        Ok(chunk)
    }

    /// Reads a line with its end; nothing at the end of the input.
    fn read_line(&mut self, line: &mut Vec<u8>) -> Result<(), InputError> {
        self.line += 1;
        let mut input = self.input.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        input
            .read_until(b'\n', line)
            .map_err(|source| InputError::Read { line: self.line, source })?;
        if line.len() > LINE_BYTES_MAX {
            return Err(InputError::Long { line: self.line });
        }
        Ok(())
    }
}

impl Iterator for Chunks {
    type Item = Result<Chunk, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let chunk = self.read_chunk();
        self.is_done |= chunk.is_err();
        Some(chunk)
    }
}

impl Chunk {
    /// Adds an event, unless an earlier line has brought it.
    fn add(
        &mut self,
        ids: &mut HashMap<EventId, usize>,
        line: u64,
        stream: StreamName,
        event: NewEvent,
    ) -> Result<(), BadLine> {
        let Some(at) = ids.get(&event.id) else {
            ids.insert(event.id, self.events.len());
            self.events.push((stream, event));
            self.lines.push(line);
            return Ok(());
        };
        let (known_stream, known) = &self.events[*at];
        let differs = if *known_stream != stream {
            Some("the stream")
        } else if known.event_type != event.event_type {
            Some("the type")
        } else if !known.data.same_value(&event.data) {
            Some("the data, in which numbers have to be written alike,")
        } else {
            None
        };
        let first = self.lines[*at];
        if let Some(differs) = differs {
            return Err(BadLine::EventIdTaken { key: key(&event), first, differs });
        }
        self.repeated.push((line, first));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: u64, data: &str) -> String {
        format!("{{\"id\":\"{id}\",\"subject\":\"s\",\"type\":\"T\",\"data\":{data}}}\n")
    }

    fn chunks(input: String) -> Vec<Result<Chunk, InputError>> {
        Chunks::new(std::io::Cursor::new(input), Rules::default()).unwrap().collect()
    }

    #[test]
    fn a_long_input_comes_in_chunks_and_blank_lines_are_passed_over() {
        let input: String = (0..2_001).map(|id| line(id, "1") + " \n").collect();
        let sizes: Vec<_> =
            chunks(input).into_iter().map(|chunk| chunk.unwrap().events.len()).collect();
        assert_eq!(sizes, [2_000, 1]);
    }

    #[test]
    fn a_repeated_line_is_left_out_and_an_id_for_another_event_is_an_error() {
        let same = chunks(line(1, "[1]") + &line(1, "[ 1 ]")).remove(0).unwrap();
        assert_eq!((same.events.len(), same.repeated), (1, vec![(2, 1)]));
        let error = chunks(line(1, "1") + "\n" + &line(1, "2")).remove(0).unwrap_err();
        let InputError::Line { line: 3, source } = error else { panic!("{error:?}") };
        let why = "id \"1\" of source \"\" stands for another event in line 1: the data";
        assert!(source.to_string().starts_with(why), "{source}");
    }

    #[test]
    fn byte_order_marks_are_passed_over_and_told_of() {
        let input = ["\u{feff}", &line(1, "1"), &line(2, "2"), "\u{feff}\n"].concat();
        let chunk = chunks(input).remove(0).unwrap();
        assert_eq!((chunk.events.len(), chunk.marked), (2, vec![1, 3]));
        let wide: Vec<u8> = "\u{feff}{".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let input = std::io::Cursor::new(wide);
        let error = Chunks::new(input, Rules::default()).unwrap().next().unwrap().unwrap_err();
        let InputError::Line { line: 1, source } = error else { panic!("{error:?}") };
        assert!(source.to_string().contains("UTF-16"), "{source}");
    }

    #[test]
    fn a_line_without_end_is_refused_and_not_held_in_memory() {
        let endless = std::io::repeat(b' ');
        let error = Chunks::new(endless, Rules::default()).unwrap().next().unwrap().unwrap_err();
        assert!(matches!(error, InputError::Long { line: 1 }));
    }
}
