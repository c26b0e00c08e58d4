//! Rules for one source file, line by line.

use super::File;
use super::names;

/// Marks of unfinished work, in two parts so that this file keeps its own rule.
const UNFINISHED: [(&str, &str); 2] = [("TO", "DO"), ("FIX", "ME")];

/// Attributes that the house does without, and what it uses instead.
const ATTRIBUTES: [(&str, &str); 3] = [
    ("#[ignore", "a test that does not run proves nothing"),
    ("#[allow(", "#[expect(…, reason = \"…\")] says when it is no longer needed"),
    ("#![allow(", "#![expect(…, reason = \"…\")] says when it is no longer needed"),
];

/// What is wrong with the file.
pub(super) fn check(file: &File) -> Vec<String> {
    let mut broken = Vec::new();
    if !file.text.starts_with("//!") {
        broken.push(format!("{}: no module documentation", file.path.display()));
    }
    for (number, line) in (1..).zip(file.text.lines().map(str::trim)) {
        let rules = unfinished(line).into_iter().chain(attribute(line)).chain(names::banned(line));
        broken.extend(rules.map(|rule| format!("{}:{number}: {rule}", file.path.display())));
    }
    broken
}

fn unfinished(line: &str) -> Option<String> {
    let marks = UNFINISHED.map(|(one, two)| format!("{one}{two}"));
    let mark = marks.into_iter().find(|mark| {
        // A signed debt such as `…-design` is a decision; a bare mark is forgotten.
        line.match_indices(mark).any(|(at, _)| !line[at + mark.len()..].starts_with('-'))
    })?;
    Some(format!("a bare {mark}"))
}

fn attribute(line: &str) -> Option<String> {
    let (attribute, reason) = ATTRIBUTES.iter().find(|(start, _)| line.starts_with(start))?;
    Some(format!("{attribute}: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> usize {
        check(&File { path: "x.rs".into(), text: text.to_owned() }).len()
    }

    #[test]
    fn every_rule_is_noticed() {
        assert_eq!(broken("//! Fine.\npub struct Store;\n#[expect(dead_code)]"), 0);
        assert_eq!(broken("pub struct Store;"), 1);
        assert_eq!(broken(&format!("//! Fine.\n// {}{}: later", "TO", "DO")), 1);
        assert_eq!(broken(&format!("//! Fine.\n// {}{}-design: later", "TO", "DO")), 0);
        assert_eq!(broken("//! Fine.\n    #[ignore]\n#[allow(dead_code)]\n#![allow(x)]"), 3);
        assert_eq!(broken("//! Fine.\npub struct StoreManager;"), 1);
    }
}
