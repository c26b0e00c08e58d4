//! What JSON text says about its value, without making numbers of its numbers.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Payload;

/// Tells how deep arrays and objects are nested in valid JSON; 0 for a plain value.
pub(crate) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut is_escaped) = (0_usize, 0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Tells how deep it is when that is more than `most`.
pub(crate) fn deeper_than(json: &str, most: usize) -> Option<usize> {
    // Nothing is deeper than it has brackets, and these are counted in a tenth of the time.
    let brackets = json.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if brackets <= most {
        return None;
    }
    Some(depth(json)).filter(|depth| *depth > most)
}

/// Tells whether two JSON texts are the same value; numbers compare as text, objects in any order.
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    let is_shallow = |json: &str| depth(json) <= Payload::DEPTH_MAX;
    is_shallow(one) && is_shallow(other) && is_same_value(one.trim(), other.trim())
}

/// Recurses once for each level of nesting.
fn is_same_value(one: &str, other: &str) -> bool {
    match (one.as_bytes().first(), other.as_bytes().first()) {
        (Some(b'{'), Some(b'{')) => {
            let (one, other) = (fields(one), fields(other));
            is_same_list(one.as_deref(), other.as_deref(), |(a, x), (b, y)| {
                a == b && is_same_value(x.get(), y.get())
            })
        }
        (Some(b'['), Some(b'[')) => {
            let (one, other) = (elements(one), elements(other));
            is_same_list(one.as_deref(), other.as_deref(), |x, y| is_same_value(x.get(), y.get()))
        }
        (Some(b'"'), Some(b'"')) => {
            one == other || text(one).is_some_and(|t| Some(t) == text(other))
        }
        _ => one == other,
    }
}

fn is_same_list<T>(
    one: Option<&[T]>,
    other: Option<&[T]>,
    is_same: impl Fn(&T, &T) -> bool,
) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    one.len() == other.len() && one.iter().zip(other).all(|(x, y)| is_same(x, y))
}

fn elements(json: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(json).ok()
}

fn text(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// The fields by name; of one that is there twice, both, in their order.
fn fields(json: &str) -> Option<Vec<(String, &RawValue)>> {
    let mut fields = serde_json::from_str::<Fields<'_>>(json).ok()?.0;
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    Some(fields)
}

struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        from.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_order_and_escapes_make_no_difference() {
        for (one, other) in [
            (r#"{"a":1,"b":[2,"x"]}"#, r#" { "b" : [ 2, "\u0078" ], "a" : 1 } "#),
            ("[]", "[ ]"),
            ("\"/\"", r#""\/""#),
        ] {
            assert!(is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn only_brackets_outside_of_strings_are_levels() {
        let (nested, text) = (format!("{}{}", "[".repeat(9), "]".repeat(9)), "[".repeat(9));
        assert_eq!(deeper_than(&nested, 8), Some(9));
        assert_eq!(deeper_than(&nested, 9), None);
        for flat in [format!("{{\"a\":\"{text}\"}}"), format!("[{}1]", "[],".repeat(9))] {
            assert_eq!(deeper_than(&flat, 2), None, "{flat}");
        }
    }

    #[test]
    fn what_differs_is_not_the_same() {
        for (one, other) in [
            ("1", "2"),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
            ("36893488147419103233", "36893488147419103234"),
            ("0.1", "0.10000000000000000001"),
            ("null", "{}"),
            ("\"1\"", "1"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn depth_counts_brackets_outside_of_text() {
        for (json, deep) in [("1", 0), ("[]", 1), (r#"{"a":[{"b":"]]["}],"c":"\"[["}"#, 3)] {
            assert_eq!(depth(json), deep, "{json}");
        }
        let deep = "[".repeat(500_000) + &"]".repeat(500_000);
        assert!(!is_same(&deep, &format!(" {deep}")), "it takes no stack");
    }
}
