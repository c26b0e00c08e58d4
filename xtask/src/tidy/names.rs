//! Words that say nothing, and have no place in a public name.

const BANNED: [&str; 8] =
    ["manager", "service", "helper", "util", "utils", "common", "base", "impl"];

const ITEMS: [&str; 8] = ["struct", "enum", "trait", "fn", "mod", "type", "const", "static"];

/// The banned word in the public name that `line` declares, if there is one.
pub(super) fn banned(line: &str) -> Option<String> {
    let name = public_name(line)?;
    let word = words(name).into_iter().find(|word| BANNED.contains(&word.as_str()))?;
    Some(format!("the public name {name} contains \"{word}\", which says nothing"))
}

/// The name that `line` declares in public; `pub(crate)` is not public.
fn public_name(line: &str) -> Option<&str> {
    let mut tokens = line.strip_prefix("pub ")?.split([' ', '(', '<', ':', ';', '{', '=']);
    let first = tokens.find(|token| ITEMS.contains(token))?;
    let second = tokens.next()?;
    // `const fn` declares the function, `static mut` and `const` the item.
    let name = if first == "const" && second == "fn" { tokens.next()? } else { second };
    Some(name)
}

/// The words of a name in camel case, snake case or capitals, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last = '_';
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && !last.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
        last = letter;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_word_is_found_in_public_names_only_and_as_a_whole_word() {
        for line in [
            "pub struct StreamManager {",
            "pub async fn common_path(&self)",
            "pub mod utils;",
            "pub const BASE: u32 = 1;",
            "pub const fn base() -> u32 {",
            "pub trait ServiceImpl: Send {",
        ] {
            assert!(banned(line).is_some(), "{line}");
        }
        for line in ["pub(crate) struct Helper;", "pub fn database()", "struct Manager;", "impl X"]
        {
            assert_eq!(banned(line), None, "{line}");
        }
    }
}
