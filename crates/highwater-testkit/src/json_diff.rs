//! What differs between two JSON values, line by line.

use serde::Serialize;
use serde_json::Value;

/// Panics unless both are the same JSON value; shows the lines that differ.
#[track_caller]
pub(crate) fn assert_same(what: &str, expected: &impl Serialize, actual: Option<&Value>) {
    let expected = serde_json::to_value(expected).expect("the expected document serialises");
    let Some(actual) = actual else {
        panic!("{what} is not there, expected\n{expected:#}");
    };
    assert!(
        *actual == expected,
        "{what} differs, - is expected, + is there\n{}",
        diff(&format!("{expected:#}"), &format!("{actual:#}"))
    );
}

/// The lines of both texts, the shared ones once: a longest common subsequence.
fn diff(expected: &str, actual: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), actual.lines().collect());
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(format!("  {}", old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("- {}", old[i]));
            i += 1;
        } else {
            lines.push(format!("+ {}", new[j]));
            j += 1;
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_shows_what_is_expected_and_what_is_there() {
        let shown = diff("{\n  \"a\": 1,\n  \"b\": 2\n}", "{\n  \"a\": 1,\n  \"b\": 3\n}");
        assert_eq!(shown, "  {\n    \"a\": 1,\n-   \"b\": 2\n+   \"b\": 3\n  }");
    }
}
