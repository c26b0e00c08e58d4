//! Backends alike: whoever knows one finds the same act in the other under the same name.

use std::collections::BTreeSet;
use std::path::Path;

use super::File;

const BACKENDS: [&str; 2] = ["highwater-postgres", "highwater-sqlite"];

const ROOMS: [&str; 3] = ["events", "projections", "sagas"];

/// What is written twice with different insides; each with the reason why only one has it.
const ONLY_ONE: [(&str, &str); 0] = [];

/// Files that one backend has and the other has not.
pub(super) fn check(sources: &[File]) -> Vec<String> {
    let [one, other] = BACKENDS.map(|name| (name, names(name, sources)));
    missing(&one, &other.1, other.0).into_iter().chain(missing(&other, &one.1, one.0)).collect()
}

/// What `from` has and the backend called `name` lacks.
fn missing(from: &(&str, BTreeSet<String>), has: &BTreeSet<String>, name: &str) -> Vec<String> {
    let lacking = from.1.difference(has);
    let unexcused = lacking.filter(|file| !ONLY_ONE.iter().any(|(only, _)| only == file));
    unexcused.map(|file| format!("{name} has no src/{file}, which {} has", from.0)).collect()
}

/// The files of the rooms that both have, below `src`.
fn names(name: &str, sources: &[File]) -> BTreeSet<String> {
    let src = Path::new("crates").join(name).join("src");
    let below = sources.iter().filter_map(|source| source.path.strip_prefix(&src).ok());
    let in_rooms = below.filter(|path| ROOMS.iter().any(|room| path.starts_with(room)));
    in_rooms.map(|path| path.display().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_only_one_backend_has_is_noticed() {
        let file = |path: &str| File { path: path.into(), text: String::new() };
        let both = ["postgres", "sqlite"]
            .map(|name| file(&format!("crates/highwater-{name}/src/events/read.rs")));
        assert!(check(&both).is_empty());
        assert_eq!(check(&both[..1]).len(), 1);
    }
}
