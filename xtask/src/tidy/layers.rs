//! Layers inside a crate: its rooms, the folders below `src`, import in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use super::File;
use super::imports::{imports, module_of};

/// Imports between rooms that no crate may have: who knows the log need not know what is built on
/// it.
const FORBIDDEN: [(&str, &str); 5] = [
    ("events", "projections"),
    ("events", "sagas"),
    ("projections", "sagas"),
    ("database", "projections"),
    ("database", "sagas"),
];

/// An import from one room into another, with the file that has it.
type Rooms = BTreeMap<(String, String), String>;

/// What is wrong with the imports of each crate.
pub(super) fn check(sources: &[File]) -> Vec<String> {
    let mut crates: BTreeMap<String, Rooms> = BTreeMap::new();
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources {
        let Some((name, below)) = place(&source.path) else { continue };
        let module = module_of(below);
        if let Some(Component::Normal(folder)) = below.components().next()
            && below.components().count() > 1
        {
            folders.entry(name.clone()).or_default().insert(folder.to_string_lossy().into_owned());
        }
        let Some(room) = module.first() else { continue };
        let rooms = crates.entry(name).or_default();
        for import in imports(&module, &source.text) {
            if let Some(other) = import.first().filter(|other| *other != room) {
                let at = source.path.display().to_string();
                rooms.entry((room.clone(), other.clone())).or_insert(at);
            }
        }
    }
    let mut broken = Vec::new();
    for (name, rooms) in &crates {
        let none = BTreeSet::new();
        let folders = folders.get(name).unwrap_or(&none);
        let between: Rooms = rooms
            .iter()
            .filter(|((from, to), _)| folders.contains(from) && folders.contains(to))
            .map(|(edge, at)| (edge.clone(), at.clone()))
            .collect();
        broken.extend(forbidden(&between));
        broken.extend(circles(name, &between));
    }
    broken
}

/// The crate of a source file and its path below `src`; `None` for tests and examples.
fn place(path: &Path) -> Option<(String, &Path)> {
    let below = path.strip_prefix("crates").ok()?;
    let name = below.iter().next()?;
    let below_src = below.strip_prefix(name).ok()?.strip_prefix("src").ok()?;
    Some((name.to_string_lossy().into_owned(), below_src))
}

fn forbidden(rooms: &Rooms) -> Vec<String> {
    let is_forbidden = |from: &str, to: &str| FORBIDDEN.contains(&(from, to));
    let wrong = rooms.iter().filter(|((from, to), _)| is_forbidden(from, to));
    wrong.map(|((from, to), at)| format!("{at}: {from} must not import {to}")).collect()
}

/// Rooms that reach each other.
fn circles(name: &str, rooms: &Rooms) -> Vec<String> {
    let mut broken = Vec::new();
    for ((from, to), at) in rooms {
        if from < to && reaches(rooms, to, from) {
            broken.push(format!("{at}: {from} imports {to}, which leads back to {from} in {name}"));
        }
    }
    broken
}

fn reaches(rooms: &Rooms, from: &str, to: &str) -> bool {
    let (mut todo, mut seen) = (vec![from], BTreeSet::new());
    while let Some(room) = todo.pop() {
        if room == to {
            return true;
        }
        if seen.insert(room) {
            todo.extend(rooms.keys().filter(|(a, _)| a == room).map(|(_, b)| b.as_str()));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), text: text.to_owned() }
    }

    #[test]
    fn rooms_import_in_one_direction() {
        let below = file("crates/x/src/events/row.rs", "use crate::database::Handle;");
        let above = file("crates/x/src/database/handle.rs", "use crate::events::row;");
        assert!(check(&[file("crates/x/src/database/handle.rs", ""), below]).is_empty());
        let below = file("crates/x/src/events/row.rs", "use crate::database::Handle;");
        assert_eq!(check(&[above, below]).len(), 1);
    }

    #[test]
    fn the_log_does_not_know_sagas() {
        let one = file("crates/x/src/events/row.rs", "use crate::sagas::row::Row;");
        assert_eq!(check(&[one, file("crates/x/src/sagas/row.rs", "")]).len(), 1);
    }
}
