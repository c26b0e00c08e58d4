//! Sorts every error code of PostgreSQL.

use highwater_core::ErrorClass::{self, Configuration, Request, World};

/// Raised by functions of the store that wait for a lock and must then see what was committed.
pub(crate) const WRONG_ISOLATION: &str = "HW002";

/// Returns what the five characters of an `SQLSTATE` mean.
///
/// Only what hangs on values is the request's. That a statement is no valid SQL, or names what is
/// not there, is the fault of no event, and neither is a timeout of statements (57014), which the
/// load decides as much as what was asked. A code that PostgreSQL does not define comes from a
/// function or trigger of the user's own, and is the request's, like `raise exception`.
pub(crate) fn class_of(code: &str) -> ErrorClass {
    exception(code).or_else(|| of_group(code.get(..2)?)).unwrap_or(Request)
}

/// Codes that are not like the others of their group.
fn exception(code: &str) -> Option<ErrorClass> {
    Some(match code {
        // Read only, as a standby is that has not been promoted yet; a transaction that idled, or
        // took, too long.
        "25006" | "25P03" | "25P04" => World,
        // A transaction that has failed before: what it failed of was passed over by the user.
        "25P02" => Request,
        "40002" => Request,
        // In use, and locked.
        "55006" | "55P03" => World,
        // The database has been dropped.
        "57P04" => Configuration,
        // Files of the server that are missing, or are there and should not be.
        "58P01" | "58P02" => Configuration,
        // The foreign server cannot be reached, or has no memory.
        "HV00N" | "HV001" => World,
        WRONG_ISOLATION => Configuration,
        _ => return None,
    })
}

/// The groups that PostgreSQL names "classes", all of them.
fn of_group(group: &str) -> Option<ErrorClass> {
    Some(match group {
        // Connections, resources, operators, the system, snapshots; deadlocks and the like.
        "08" | "40" | "53" | "57" | "58" | "72" => World,
        // Features, roles and rights, catalogues and schemas, SQL that names what is not there,
        // transactions and cursors in a state that the statement does not allow, statements that
        // another client has prepared, files of configuration, foreign servers, damage.
        "03" | "0A" | "0B" | "0F" | "0L" | "0P" | "0Z" | "24" | "25" | "26" | "28" | "2B"
        | "2D" | "34" | "3B" | "3D" | "3F" | "42" | "55" | "F0" | "HV" | "XX" => Configuration,
        // Data, constraints, triggers, routines, limits of what a statement can hold.
        "00" | "01" | "02" | "09" | "20" | "21" | "22" | "23" | "27" | "2F" | "38" | "39"
        | "44" | "54" | "P0" => Request,
        _ => return None,
    })
}

/// Returns what to do about a code, where its own text does not say.
pub(crate) fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "42501" => "grant the role of this store what it needs, see PgOptions::migrate",
        "42P01" | "42883" | "42703" | "3F000" => {
            "a table or function is missing: connect once as a role that may create it, with \
             PgOptions::migrate on"
        }
        "26000" | "42P05" => {
            "another client has used this session: connect to the server itself, or to a pooler \
             in session mode"
        }
        "3D000" => "create the database first",
        WRONG_ISOLATION => {
            "set default_transaction_isolation of the role, database or server back to read \
             committed"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All groups of PostgreSQL 15 to 18, as its appendix A lists them.
    const GROUPS: &str = "00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D \
        2F 34 38 39 3B 3D 3F 40 42 44 53 54 55 57 58 72 F0 HV P0 XX";

    #[test]
    fn every_group_of_codes_is_sorted() {
        let unsorted: Vec<_> =
            GROUPS.split_whitespace().filter(|group| of_group(group).is_none()).collect();
        assert_eq!(unsorted, ["10"], "which is about XQuery, and never used");
    }

    #[test]
    fn what_the_world_does_is_waited_for() {
        for code in [
            "08000", "08001", "08003", "08004", "08006", "08007", "08P01", "25006", "25P03",
            "25P04", "40000", "40001", "40003", "40P01", "53000", "53100", "53200", "53300",
            "53400", "55006", "55P03", "57000", "57014", "57P01", "57P02", "57P03", "57P05",
            "58000", "58030", "72000", "HV00N",
        ] {
            assert_eq!(class_of(code), World, "{code}");
        }
    }

    #[test]
    fn what_somebody_has_to_set_right_is_told() {
        for code in [
            "0A000",
            "0P000",
            "25001",
            "26000",
            "28000",
            "28P01",
            "2D000",
            "3D000",
            "3F000",
            "42501",
            "42601",
            "42703",
            "42704",
            "42883",
            "42P01",
            "42P05",
            "55000",
            "57P04",
            "58P01",
            "F0000",
            "HV000",
            "XX000",
            "XX001",
            "XX002",
            WRONG_ISOLATION,
        ] {
            assert_eq!(class_of(code), Configuration, "{code}");
        }
    }

    #[test]
    fn what_hangs_on_values_is_the_requests() {
        for code in [
            "20000", "21000", "22001", "22003", "22012", "22021", "22P02", "22P05", "23001",
            "23502", "23503", "23505", "23514", "23P01", "25P02", "40002", "44000", "54000",
            "54001", "P0001", "P0004", "MY001", "HW001", "", "é",
        ] {
            assert_eq!(class_of(code), Request, "{code}");
        }
    }
}
