//! Imports of a source file, as paths from the root of its crate.

use std::path::Path;

/// The path of a module, or of what it imports, without the leading `crate`.
pub(super) type ModulePath = Vec<String>;

/// The module that a file below `src` is; empty for the root of its crate.
pub(super) fn module_of(below_src: &Path) -> ModulePath {
    let stem = below_src.with_extension("");
    let names = stem.iter().map(|name| name.to_string_lossy().into_owned());
    let mut path: ModulePath = names.collect();
    if path.last().is_some_and(|name| name == "mod") {
        path.pop();
    }
    if path == ["lib"] || path == ["main"] { Vec::new() } else { path }
}

/// What the code of `module` imports from its own crate; its tests may import what they like.
pub(super) fn imports(module: &[String], text: &str) -> Vec<ModulePath> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(text);
    let mut found = Vec::new();
    for statement in code.split("use ").skip(1).filter_map(|rest| rest.split(';').next()) {
        let is_ours = ["crate::", "super::", "self::"].iter().any(|own| statement.starts_with(own));
        if is_ours {
            let leaves = expand(&statement.split_whitespace().collect::<Vec<_>>().join(" "));
            found.extend(leaves.iter().filter_map(|leaf| absolute(module, leaf)));
        }
    }
    found
}

/// The paths of a tree such as `a::{b, c::d}`.
fn expand(tree: &str) -> Vec<String> {
    let Some((prefix, rest)) = tree.split_once('{') else {
        return vec![tree.split(" as ").next().unwrap_or(tree).trim().to_owned()];
    };
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let branches = split_branches(inner);
    let branches = branches.iter().filter(|branch| !branch.trim().is_empty());
    branches
        .flat_map(|branch| expand(branch.trim()))
        .map(|leaf| prefix.trim().to_owned() + &leaf)
        .collect()
}

/// The parts between the commas that stand in no inner braces.
fn split_branches(inner: &str) -> Vec<&str> {
    let (mut branches, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (at, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                branches.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    branches.push(&inner[start..]);
    branches
}

/// A path as written in `module`, from the root; `None` when it leaves the crate.
fn absolute(module: &[String], path: &str) -> Option<ModulePath> {
    let mut segments = path.split("::").peekable();
    let mut from = match segments.next()? {
        "crate" => Vec::new(),
        "self" => module.to_vec(),
        "super" => module.split_last()?.1.to_vec(),
        _ => return None,
    };
    while segments.next_if_eq(&"super").is_some() {
        from.pop()?;
    }
    from.extend(segments.map(str::to_owned));
    Some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ModulePath {
        text.split("::").map(str::to_owned).collect()
    }

    #[test]
    fn a_file_is_the_module_of_its_place() {
        assert_eq!(module_of(Path::new("events/store.rs")), path("events::store"));
        assert_eq!(module_of(Path::new("events/mod.rs")), path("events"));
        assert!(module_of(Path::new("lib.rs")).is_empty());
    }

    #[test]
    fn imports_are_found_in_every_form() {
        let text = "use std::fmt;\npub(crate) use super::row;\nuse crate::{\n    a::{self, B as C},\n    d,\n};\n\
            #[cfg(test)]\nmod tests {\n    use crate::never;\n}\n";
        let found = imports(&path("events::store"), text);
        assert_eq!(found, [path("events::row"), path("a::self"), path("a::B"), path("d")]);
    }
}
