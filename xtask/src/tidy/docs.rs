//! What the documents say is true: their program, their tests and their links exist.

use std::path::Path;

use super::File;

/// The programs in documents, which the tests compile.
const PROGRAMS: [(&str, &str); 2] = [
    ("README.md", "crates/highwater/examples/smallest.rs"),
    ("docs/sagas.md", "crates/highwater/examples/saga.rs"),
];

/// What is wrong with the documents.
pub(super) fn check(root: &Path, texts: &[File], sources: &[File]) -> Vec<String> {
    let mut broken: Vec<String> = texts
        .iter()
        .flat_map(|text| {
            let tests = missing_tests(text, sources).into_iter();
            let tests = tests.map(|test| format!("no test is called {test}"));
            let links = missing_links(root, text).into_iter();
            let links = links.map(|link| format!("nothing is at {link}"));
            tests.chain(links).map(|rule| format!("{}: {rule}", text.path.display()))
        })
        .collect();
    for (document, program) in PROGRAMS {
        let source = sources.iter().find(|source| source.path == Path::new(program));
        let text = texts.iter().find(|text| text.path == Path::new(document));
        if !source.zip(text).is_some_and(|(source, text)| shows(text, source)) {
            broken.push(format!("{document} does not show {program} as it is"));
        }
    }
    broken
}

/// Whether `text` has `program` in it, but for the comment at its head.
fn shows(text: &File, program: &File) -> bool {
    let code = program.text.lines().skip_while(|line| line.is_empty() || line.starts_with("//!"));
    text.text.contains(code.collect::<Vec<_>>().join("\n").trim())
}

/// Names in backquotes that read like a test's, a sentence of four words or more, and are none.
fn missing_tests<'a>(text: &'a File, sources: &[File]) -> Vec<&'a str> {
    let is_sentence = |name: &&str| {
        let is_word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        name.matches('_').count() >= 3
            && name.chars().all(|letter| is_word(letter) || letter == '_')
    };
    let exists = |name: &&str| {
        let [plain, generic] = ["(", "<"].map(|next| format!("fn {name}{next}"));
        sources.iter().any(|source| source.text.contains(&plain) || source.text.contains(&generic))
    };
    let in_quotes = text.text.split('`').skip(1).step_by(2);
    in_quotes.filter(is_sentence).filter(|name| !exists(name)).collect()
}

/// Links to files of the repository that are not there.
fn missing_links<'a>(root: &Path, text: &'a File) -> Vec<&'a str> {
    let folder = root.join(&text.path);
    let folder = folder.parent().unwrap_or(root);
    let targets = text.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    files.filter(|file| !folder.join(file.split('#').next().unwrap_or(file)).exists()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), text: text.to_owned() }
    }

    #[test]
    fn a_test_that_is_named_must_exist() {
        let sources = [file("a.rs", "#[test]\nfn no_event_is_lost() {}")];
        let text = file("a.md", "| `no_event_is_lost` | `no_event_is_twice` | `read_all` |");
        assert_eq!(missing_tests(&text, &sources), ["no_event_is_twice"]);
    }

    #[test]
    fn a_link_must_lead_somewhere() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = file("a.md", "[a](Cargo.toml) [b](src/main.rs#x) [c](https://x.y) [d](gone.md)");
        assert_eq!(missing_links(root, &text), ["gone.md"]);
    }

    #[test]
    fn the_program_is_shown_without_its_comment_only_when_it_is_the_same() {
        let program = file("program.rs", "//! The program.\n\nfn main() {\n}\n");
        assert!(shows(&file("README.md", "```rust\nfn main() {\n}\n```"), &program));
        assert!(!shows(&file("README.md", "```rust\nfn main() {\n    x();\n}\n```"), &program));
    }
}
