//! The house rules that a program can check.

mod docs;
mod edges;
mod imports;
mod json;
mod layers;
pub(crate) mod manifest;
mod names;
mod sentences;
mod sizes;
mod source;
mod types;

use std::path::{Path, PathBuf};

use self::manifest::Manifest;
use crate::Result;

/// A text file of the repository.
#[derive(Debug)]
struct File {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

/// Fails when a rule is broken; lists what is long, for a human to judge.
pub(crate) fn run(root: &Path) -> Result {
    let sources = files(root, &["crates", "xtask"], "rs")?;
    let texts = files(root, &["README.md", "docs"], "md")?;
    sizes::list(&sources).iter().for_each(|note| println!("long: {note}"));
    let mut broken = edges::check(&Manifest::all(root)?);
    broken.extend(sources.iter().flat_map(source::check));
    broken.extend(sources.iter().flat_map(json::check));
    broken.extend(layers::check(&sources));
    broken.extend(types::check(&sources));
    broken.extend(sentences::check(&sources));
    broken.extend(docs::check(root, &texts, &sources));
    broken.iter().for_each(|rule| println!("{rule}"));
    match broken.len() {
        0 => Ok(()),
        count => Err(format!("{count} house rules broken").into()),
    }
}

/// The files below `starts` whose names end with `.extension`, in the order of their paths.
fn files(root: &Path, starts: &[&str], extension: &str) -> Result<Vec<File>> {
    let mut todo: Vec<PathBuf> = starts.iter().map(|start| root.join(start)).collect();
    let mut found = Vec::new();
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                let entry = entry?;
                // Links lead to what is found elsewhere; `node_modules` is not ours.
                if !entry.file_type()?.is_symlink() && entry.file_name() != "node_modules" {
                    todo.push(entry.path());
                }
            }
        } else if path.extension().is_some_and(|end| end == extension) {
            let text = std::fs::read_to_string(&path)?;
            found.push(File { path: path.strip_prefix(root)?.to_owned(), text });
        }
    }
    found.sort_by(|one, two| one.path.cmp(&two.path));
    Ok(found)
}
