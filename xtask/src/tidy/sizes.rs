//! What is long, for a human to judge.

use super::File;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;

/// Files and functions that are longer than they should be.
pub(super) fn list(sources: &[File]) -> Vec<String> {
    let mut notes = Vec::new();
    for File { path, text } in sources {
        let (path, lines) = (path.display(), text.lines().count());
        if lines > FILE_LINES_MAX {
            notes.push(format!("{path} has {lines} lines"));
        }
        let long = functions(text).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX);
        notes.extend(long.map(|(number, lines)| format!("{path}:{number} has {lines} lines")));
    }
    notes
}

/// First line and length of each function, as rustfmt lays them out: the brace that closes a
/// function stands alone, as far in as its first line.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate().filter(|(_, line)| is_function(line)) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let has_body = lines[start..].iter().find(|line| line.ends_with(['{', ';', '}']));
        if has_body.is_some_and(|line| line.ends_with('{')) {
            let length = lines[start..].iter().position(|line| **line == end);
            found.extend(length.map(|length| (start + 1, length + 1)));
        }
    }
    found
}

fn is_function(line: &str) -> bool {
    let is_modifier =
        |word: &&str| word.starts_with("pub") || matches!(*word, "async" | "const" | "unsafe");
    line.split_whitespace().find(|word| !is_modifier(word)) == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_reaches_to_the_brace_that_closes_it() {
        let text = "
trait T {
    fn declared(&self);
    pub(crate) async fn long(
        &self,
    ) -> u32 {
        if true {
        }
    }
}
fn short() {}
fn last() {
}";
        assert_eq!(functions(text), [(4, 6), (12, 2)]);
    }
}
