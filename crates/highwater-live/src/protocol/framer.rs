//! Cuts records out of the bytes of a connection, however the transport has cut those.

use bytes::{Buf, Bytes, BytesMut};

use super::varint;
use super::varint::Length;

/// Ends a JSON record; it cannot stand in JSON itself.
pub(crate) const RECORD_SEPARATOR: u8 = 0x1e;

/// Way in which records are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A record separator, 0x1E, after each.
    Separated,
    /// Its length before each.
    LengthPrefixed,
}

/// Bytes that are no message; the connection they came over has to be closed.
///
/// It never shows the bytes: clients put their access tokens into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A record longer than the limit.
    #[error("a message is longer than {limit} bytes")]
    TooLong {
        /// The most bytes that a record may have.
        limit: usize,
    },
    /// Five bytes that are no length of a record.
    #[error("the length before a message is invalid")]
    Length,
    /// A record that is not JSON, not MessagePack, or nested too deeply.
    #[error("a message is not valid {0}")]
    Syntax(&'static str),
    /// A message that lacks something or has the wrong shape.
    #[error("a message has no valid {0}")]
    Field(&'static str),
}

/// Cuts bytes into records; holds on to an unfinished one of at most the limit.
#[derive(Debug)]
pub struct Framer {
    framing: Framing,
    limit: usize,
    buffer: BytesMut,
    /// Part of the buffer that is known to have no separator in it.
    searched: usize,
}

impl Framer {
    /// A framer that refuses records longer than `limit` bytes.
    #[must_use]
    pub fn new(framing: Framing, limit: usize) -> Self {
        Self { framing, limit, buffer: BytesMut::new(), searched: 0 }
    }

    /// Cuts what has not been cut yet in another way; for the end of the handshake.
    pub fn switch(&mut self, framing: Framing, limit: usize) {
        (self.framing, self.limit, self.searched) = (framing, limit, 0);
    }

    /// Takes in more bytes; all records before them are to be taken out first.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next record, without separator or length; `None` when it has not wholly arrived.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, Malformed> {
        let record = match self.framing {
            Framing::Separated => self.next_separated(),
            Framing::LengthPrefixed => self.next_prefixed(),
        }?;
        if record.is_none() && self.buffer.is_empty() {
            // An idle connection keeps no memory for what it once received.
            self.buffer = BytesMut::new();
        }
        Ok(record)
    }

    fn next_separated(&mut self) -> Result<Option<Bytes>, Malformed> {
        let end = self.buffer[self.searched..].iter().position(|byte| *byte == RECORD_SEPARATOR);
        let length = end.map_or(self.buffer.len(), |end| self.searched + end);
        if length > self.limit {
            return Err(Malformed::TooLong { limit: self.limit });
        }
        if end.is_none() {
            self.searched = length;
            return Ok(None);
        }
        let record = self.buffer.split_to(length).freeze();
        self.buffer.advance(1);
        self.searched = 0;
        Ok(Some(record))
    }

    fn next_prefixed(&mut self) -> Result<Option<Bytes>, Malformed> {
        match varint::read(&self.buffer) {
            Length::Invalid => Err(Malformed::Length),
            Length::Known { body, .. } if body > self.limit => {
                Err(Malformed::TooLong { limit: self.limit })
            }
            Length::Known { body, prefix } if self.buffer.len() >= prefix + body => {
                self.buffer.advance(prefix);
                Ok(Some(self.buffer.split_to(body).freeze()))
            }
            Length::Known { .. } | Length::Unfinished => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::{any, proptest};
    use proptest::{prop_assert, prop_assert_eq};

    use super::*;

    fn cut(framer: &mut Framer, chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, Malformed> {
        let mut records = Vec::new();
        for chunk in chunks {
            framer.push(chunk);
            while let Some(record) = framer.next_record()? {
                records.push(record.to_vec());
            }
        }
        Ok(records)
    }

    fn framed(framing: Framing, records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for record in records {
            if framing == Framing::LengthPrefixed {
                varint::write(record.len(), &mut bytes);
            }
            bytes.extend_from_slice(record);
            if framing == Framing::Separated {
                bytes.push(RECORD_SEPARATOR);
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn records_survive_any_cut_of_the_bytes(
            mut records in vec(vec(any::<u8>(), 0..300), 0..8),
            size in 1_usize..64,
        ) {
            for framing in [Framing::LengthPrefixed, Framing::Separated] {
                if framing == Framing::Separated {
                    records.iter_mut().for_each(|record| record.retain(|byte| *byte != RECORD_SEPARATOR));
                }
                let bytes = framed(framing, &records);
                let chunks: Vec<&[u8]> = bytes.chunks(size).collect();
                let mut framer = Framer::new(framing, 300);
                prop_assert_eq!(cut(&mut framer, &chunks), Ok(records.clone()));
            }
        }

        #[test]
        fn whatever_comes_no_more_than_the_limit_and_one_chunk_is_held(
            chunks in vec(vec(any::<u8>(), 0..100), 0..50),
        ) {
            for framing in [Framing::LengthPrefixed, Framing::Separated] {
                let mut framer = Framer::new(framing, 128);
                for chunk in &chunks {
                    if cut(&mut framer, &[chunk]).is_err() {
                        break;
                    }
                    prop_assert!(framer.buffer.len() <= 128 + 5);
                }
            }
        }
    }

    #[test]
    fn a_record_over_the_limit_is_refused_before_it_is_there() {
        let mut framer = Framer::new(Framing::Separated, 4);
        assert_eq!(cut(&mut framer, &[b"1234", b"5"]), Err(Malformed::TooLong { limit: 4 }));
        let mut framer = Framer::new(Framing::LengthPrefixed, 4);
        assert_eq!(cut(&mut framer, &[&[5]]), Err(Malformed::TooLong { limit: 4 }));
    }

    #[test]
    fn what_follows_the_handshake_is_cut_in_the_new_way() {
        let mut framer = Framer::new(Framing::Separated, 16);
        framer.push(b"{}\x1e\x02\x91\x06");
        assert_eq!(framer.next_record(), Ok(Some(Bytes::from_static(b"{}"))));
        framer.switch(Framing::LengthPrefixed, 16);
        assert_eq!(framer.next_record(), Ok(Some(Bytes::from_static(&[0x91, 6]))));
    }
}
