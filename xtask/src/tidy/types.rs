//! Names of types: each stands for one thing in the whole workspace.

use std::collections::BTreeMap;

use super::File;

/// Names that several crates declare on purpose: each crate's own word for its own thing.
const SHARED: [&str; 0] = [];

/// Public types of the same name in several published crates.
pub(super) fn check(sources: &[File]) -> Vec<String> {
    let mut declared: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in sources {
        let Some(name) = published(source) else { continue };
        for line in source.text.lines() {
            if let Some(declared_type) = type_name(line) {
                let crates = declared.entry(declared_type).or_default();
                if !crates.contains(&name) {
                    crates.push(name);
                }
            }
        }
    }
    declared
        .into_iter()
        .filter(|(name, crates)| crates.len() > 1 && !SHARED.contains(name))
        .map(|(name, crates)| format!("the type {name} is declared in {}", crates.join(" and ")))
        .collect()
}

/// The crate of a source file of the library itself.
fn published(source: &File) -> Option<&str> {
    let path = source.path.to_str()?.strip_prefix("crates/")?;
    let (name, below) = path.split_once('/')?;
    (name.starts_with("highwater-") && below.starts_with("src/")).then_some(name)
}

/// The type that a line at the margin declares in public.
fn type_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let rest =
        ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| rest.strip_prefix(kind))?;
    rest.split(|letter: char| !letter.is_alphanumeric()).next().filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_two_crates_declare_is_noticed() {
        let file = |path: &str, text: &str| File { path: path.into(), text: text.to_owned() };
        let one = file("crates/highwater-a/src/x.rs", "pub struct Lease(u8);\n");
        let own = file("crates/highwater-b/src/x.rs", "pub(crate) struct Lease;\n");
        assert!(check(&[one, own]).is_empty());
        let one = file("crates/highwater-a/src/x.rs", "pub struct Lease(u8);\n");
        let two = file("crates/highwater-b/src/x.rs", "pub enum Lease {\n");
        assert_eq!(check(&[one, two]).len(), 1);
    }
}
