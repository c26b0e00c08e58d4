//! Sentences of the documentation: they begin with what they document, and traits show their use.

use super::File;

/// Words that begin a clause about something that has not been named yet.
const CLAUSES: [&str; 4] = ["What", "Whether", "How", "Why"];

/// The share of documented items whose first sentence may be such a clause, in percent.
const CLAUSES_PERCENT_MAX: usize = 2;

/// What is wrong with the documentation of the published crates.
pub(super) fn check(sources: &[File]) -> Vec<String> {
    let ours = sources.iter().filter(|source| is_published(source));
    let mut broken: Vec<String> = ours.clone().flat_map(bare_traits).collect();
    let (mut all, mut clauses) = (0, Vec::new());
    for source in ours {
        let first: Vec<(usize, &str)> = first_sentences(&source.text);
        all += first.len();
        let bare = first.iter().filter(|(_, sentence)| is_clause(sentence));
        clauses
            .extend(bare.map(|(line, text)| format!("{}:{line}: {text}", source.path.display())));
    }
    if clauses.len() * 100 > all * CLAUSES_PERCENT_MAX {
        let (count, first) = (clauses.len(), clauses.iter().take(20).cloned().collect::<Vec<_>>());
        broken.push(format!(
            "{count} of {all} doc comments open with a bare {}:\n  {}",
            CLAUSES.join("/"),
            first.join("\n  ")
        ));
    }
    broken
}

fn is_published(source: &File) -> bool {
    let path = source.path.to_string_lossy();
    path.starts_with("crates/highwater") && path.contains("/src/")
}

fn is_clause(sentence: &str) -> bool {
    let first = sentence.split([' ', ',']).next().unwrap_or("");
    CLAUSES.contains(&first)
}

/// The first line of each doc comment of an item, with its number.
fn first_sentences(text: &str) -> Vec<(usize, &str)> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let begins = |at: usize| at == 0 || !lines[at - 1].starts_with("///");
    let docs = lines.iter().enumerate().filter(|(at, line)| line.starts_with("///") && begins(*at));
    docs.map(|(at, line)| (at + 1, line.trim_start_matches('/').trim())).collect()
}

/// Public traits whose documentation has no example.
fn bare_traits(source: &File) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let traits = lines.iter().enumerate().filter(|(_, line)| line.starts_with("pub trait "));
    let without = traits.filter(|(at, _)| {
        let above = lines[..*at].iter().rev();
        let docs = above.take_while(|line| line.starts_with("///") || line.starts_with("#["));
        !docs.into_iter().any(|line| line.starts_with("/// ```"))
    });
    without
        .map(|(at, line)| {
            let name = line["pub trait ".len()..].split([':', ' ', '<']).next().unwrap_or("");
            format!("{}:{}: the trait {name} has no example", source.path.display(), at + 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> File {
        File { path: "crates/highwater-x/src/x.rs".into(), text: text.to_owned() }
    }

    #[test]
    fn a_trait_needs_an_example() {
        assert_eq!(check(&[file("/// Keeps it.\npub trait Keep {}")]).len(), 1);
        let shown = "/// Keeps it.\n///\n/// ```\n/// keep();\n/// ```\npub trait Keep: Send {}";
        assert!(check(&[file(shown)]).is_empty());
    }

    #[test]
    fn a_sentence_begins_with_what_it_documents() {
        assert_eq!(check(&[file("/// What it is.\nfn a() {}")]).len(), 1);
        assert!(check(&[file("/// Name of it.\nfn a() {}")]).is_empty());
    }
}
