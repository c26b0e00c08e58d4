//! Sorts every result code of SQLite.

use highwater_core::ErrorClass::{self, Configuration, Request, World};

pub(crate) const BUSY: u8 = 5;
pub(crate) const LOCKED: u8 = 6;

/// An extended code: the file system itself is damaged.
const IO_CORRUPT_FS: u32 = 10 | 33 << 8;

/// Returns what an extended result code means, with the text that came with it.
///
/// SQLite has one code for all that is wrong with a statement, so that its text must tell what is
/// not there from what does not apply to a value.
pub(crate) fn class_of(extended: u32, text: &str) -> ErrorClass {
    match extended & 0xFF {
        _ if extended == IO_CORRUPT_FS => Configuration,
        1 if names_what_is_missing(text) => Configuration,
        1 if was_rolled_back(text) => World,
        primary => of_primary(primary).unwrap_or(Request),
    }
}

/// The primary result codes, all of them.
fn of_primary(code: u32) -> Option<ErrorClass> {
    Some(match code {
        // ABORT, which another failure has caused; BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, FULL,
        // PROTOCOL, and SCHEMA, which has changed meanwhile.
        4..=7 | 9 | 10 | 13 | 15 | 17 => World,
        // INTERNAL, PERM, READONLY, CORRUPT, NOTFOUND, CANTOPEN, EMPTY, MISUSE, NOLFS, AUTH,
        // FORMAT, NOTADB; NOTICE and WARNING, which no call returns.
        2 | 3 | 8 | 11 | 12 | 14 | 16 | 21..=24 | 26..=28 => Configuration,
        // OK, ERROR, TOOBIG, CONSTRAINT, MISMATCH, RANGE, ROW, DONE.
        0 | 1 | 18..=20 | 25 | 100 | 101 => Request,
        _ => return None,
    })
}

fn names_what_is_missing(text: &str) -> bool {
    let missing = ["table", "column", "function", "view", "index", "module", "collation"];
    missing.iter().any(|what| text.contains(&format!("no such {what}")))
        || text.contains("has no column named")
        || text.ends_with(": syntax error")
}

/// On a full disk, for one, SQLite ends a transaction by itself. Whoever passed over the error
/// that told of it learns it from the next statement.
fn was_rolled_back(text: &str) -> bool {
    text.contains("no transaction is active") || text.contains("no such savepoint")
}

/// Returns what to do about a code, where its own text does not say.
pub(crate) fn advice(extended: u32, text: &str) -> Option<&'static str> {
    Some(match extended & 0xFF {
        3 | 8 => "let the process write the database's file and its folder",
        14 => "the database's file or folder is missing, or may not be read and written",
        11 | 26 => "the database's file is damaged or is none: restore it from a backup",
        1 if names_what_is_missing(text) => "a table or column of a read model is missing",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_class(expected: ErrorClass, codes: &[u32]) {
        for code in codes {
            assert_eq!(class_of(*code, ""), expected, "{code}");
        }
    }

    #[test]
    fn every_result_code_is_sorted() {
        for code in (0..=28).chain([100, 101]) {
            assert!(of_primary(code).is_some(), "{code}");
        }
    }

    #[test]
    fn what_the_world_does_is_waited_for() {
        // With extended ones: BUSY_SNAPSHOT, IOERR_FSYNC, IOERR_WRITE, ABORT_ROLLBACK.
        assert_class(World, &[4, 5, 6, 7, 9, 10, 13, 15, 17, 517, 1034, 778, 516]);
        assert_eq!(class_of(1, "cannot commit - no transaction is active"), World);
        assert_eq!(class_of(1, "no such savepoint: highwater"), World);
    }

    #[test]
    fn what_somebody_has_to_set_right_is_told() {
        // With extended ones: READONLY_DIRECTORY, CANTOPEN_ISDIR, CORRUPT_INDEX, IOERR_CORRUPTFS.
        let codes = [2, 3, 8, 11, 12, 14, 16, 21, 22, 23, 24, 26, 27, 28, 1544, 526, 779, 8458];
        assert_class(Configuration, &codes);
        assert_eq!(class_of(1, "no such table: totals"), Configuration);
        assert_eq!(class_of(1, "table totals has no column named n"), Configuration);
    }

    #[test]
    fn what_hangs_on_values_is_the_requests() {
        // With extended ones: CONSTRAINT_UNIQUE, CONSTRAINT_TRIGGER.
        assert_class(Request, &[1, 18, 19, 20, 25, 2067, 1811]);
        assert_eq!(class_of(1, "malformed JSON"), Request);
        assert_eq!(class_of(1, "integer overflow"), Request);
    }
}
