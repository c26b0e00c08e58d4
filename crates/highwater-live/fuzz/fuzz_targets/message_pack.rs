//! A connection in MessagePack: a handshake, then whatever bytes come, cut wherever.
//!
//! Run with `cargo +nightly fuzz run message_pack -- -max_total_time=600` in `crates/highwater-live`.

#![no_main]

use highwater_live::protocol::{Framer, Framing, Handshake, Protocol};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let protocol = Protocol::MessagePack;
    let _ = protocol.decode(bytes);
    let mut framer = Framer::new(Framing::Separated, Handshake::BYTES_MAX);
    let mut has_shaken_hands = false;
    for chunk in bytes.chunks(usize::from(cut).max(1)) {
        framer.push(chunk);
        loop {
            match framer.next_record() {
                Ok(Some(record)) if has_shaken_hands => drop(protocol.decode(&record)),
                Ok(Some(record)) => {
                    let _ = Handshake::read(&record);
                    framer.switch(protocol.framing(), 1024);
                    has_shaken_hands = true;
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});
