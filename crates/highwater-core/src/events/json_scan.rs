//! One pass over JSON text that finds what readers stumble over.

use super::InvalidJson;

/// What serde_json's own keys start with, which make it parse what stands under them.
const PRIVATE: &str = "$serde_json::private::";

/// Tells how deep the text is nested; an error for what no reader should be given.
///
/// Expects no more of the text than to be text: whether it is JSON is for the parser to say.
pub(crate) fn scan(json: &str) -> Result<usize, InvalidJson> {
    let bytes = json.as_bytes();
    let (mut at, mut depth, mut deepest) = (0, 0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at = string(json, at)?,
            b'-' | b'0'..=b'9' => at = number(json, at - 1)?,
            _ => {}
        }
    }
    Ok(deepest)
}

/// Checks the string whose content starts at `start`; the place behind its end.
fn string(json: &str, start: usize) -> Result<usize, InvalidJson> {
    let bytes = json.as_bytes();
    let (mut at, mut is_escaped) = (start, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => break,
            b'\\' => {
                is_escaped = true;
                at = escape(bytes, at)?;
            }
            _ => at += 1,
        }
    }
    let end = at.min(bytes.len());
    // Both places are beside an ASCII character, so that a text is cut between characters.
    let content = json.get(start..end).unwrap_or_default();
    if is_private(content, is_escaped) && is_key(&bytes[end..]) {
        return Err(InvalidJson::PrivateKey);
    }
    Ok(end + 1)
}

/// The place behind the escape at `at`, which is a whole pair for halves of one.
fn escape(bytes: &[u8], at: usize) -> Result<usize, InvalidJson> {
    match unit(bytes, at) {
        Some(0xd800..=0xdbff) => match unit(bytes, at + 6) {
            Some(0xdc00..=0xdfff) => Ok(at + 12),
            _ => Err(InvalidJson::Surrogate),
        },
        Some(0xdc00..=0xdfff) => Err(InvalidJson::Surrogate),
        Some(_) => Ok(at + 6),
        None => Ok(at + 2),
    }
}

/// The UTF-16 unit that an escape at `at` stands for.
fn unit(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

fn is_private(content: &str, is_escaped: bool) -> bool {
    if !is_escaped {
        return content.starts_with(PRIVATE);
    }
    // Of what is spelled with escapes only the start matters, and no character needs more than
    // the six of an escape.
    let mut rest = content;
    PRIVATE.chars().all(|expected| match first(rest) {
        Some((found, length)) => {
            rest = rest.get(length..).unwrap_or_default();
            found == expected
        }
        None => false,
    })
}

/// The first character of a string's content, and the bytes that it is written in.
fn first(content: &str) -> Option<(char, usize)> {
    if content.starts_with('\\') {
        // The prefix has no character with a short escape of its own.
        return Some((char::from_u32(unit(content.as_bytes(), 0)?)?, 6));
    }
    content.chars().next().map(|found| (found, found.len_utf8()))
}

/// Tells whether a colon follows the string that ends here.
fn is_key(behind: &[u8]) -> bool {
    let mut rest = behind.iter().skip(1);
    rest.find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

/// Checks the number that starts at `start`; the place behind it.
fn number(json: &str, start: usize) -> Result<usize, InvalidJson> {
    let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let length = json.as_bytes()[start..].iter().take_while(|byte| is_part(byte)).count();
    let digits = json.get(start..start + length).unwrap_or_default();
    // One of at most 300 digits without exponent is finite.
    let may_be_large = length > 300 || digits.contains(['e', 'E']);
    if may_be_large && digits.parse::<f64>().is_ok_and(f64::is_infinite) {
        return Err(InvalidJson::Number);
    }
    Ok(start + length)
}
