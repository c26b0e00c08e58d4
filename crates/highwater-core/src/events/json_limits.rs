//! The gate for JSON from outside: what passes it can be decoded by every reader.

use serde::de::DeserializeOwned;

use super::Payload;
use super::json_scan::scan;

/// How large and how deep JSON from outside may be; everything that comes in is checked by one.
///
/// Beside size and depth it refuses what some readers cannot decode or mistake for something
/// else: numbers beyond every float, halves of surrogate pairs, and keys that mean something to
/// serde_json itself. It takes no stack however deep the text is, and one pass.
///
/// ```
/// use highwater_core::JsonLimits;
/// let limits = JsonLimits { bytes: 100, ..JsonLimits::default() };
/// let numbers: Vec<u64> = limits.parse(b"[1, 2]").unwrap();
/// assert_eq!(numbers, [1, 2]);
/// assert!(limits.parse::<f64>(b"1e999").is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Bytes of the text. Default 16 MiB, as of one append.
    pub bytes: usize,
    /// Levels of arrays and objects. Default [`Payload::DEPTH_MAX`].
    pub levels: usize,
}

/// Reason why JSON is refused before anything is made of it; it shows nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidJson {
    /// Longer than allowed.
    #[error("{actual} bytes, the limit is {limit}")]
    TooLarge {
        /// Its bytes.
        actual: usize,
        /// The most that it may have.
        limit: usize,
    },
    /// Nested deeper than allowed.
    #[error("{actual} levels of nesting, the limit is {limit}")]
    TooDeep {
        /// Its levels.
        actual: usize,
        /// The most that it may have.
        limit: usize,
    },
    /// Bytes that are no text.
    #[error("it is not UTF-8")]
    Encoding,
    /// A number beyond every float.
    #[error("a number that no float can hold")]
    Number,
    /// Half of a surrogate pair, which no text can hold.
    #[error("half of a surrogate pair")]
    Surrogate,
    /// A key that serde_json keeps for itself.
    #[error("a key that starts with \"$serde_json::private::\"")]
    PrivateKey,
}

/// JSON that was refused, is none, or does not fit the type that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It was refused before it was parsed.
    #[error(transparent)]
    Invalid(#[from] InvalidJson),
    /// It is not JSON, or not of the type.
    #[error(transparent)]
    Parse(#[from] serde_json::Error),
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { bytes: 16 << 20, levels: Payload::DEPTH_MAX }
    }
}

impl JsonLimits {
    /// The text, when every reader can decode it as far as it is JSON at all.
    pub fn check(self, json: &[u8]) -> Result<&str, InvalidJson> {
        if json.len() > self.bytes {
            return Err(InvalidJson::TooLarge { actual: json.len(), limit: self.bytes });
        }
        let text = std::str::from_utf8(json).map_err(|_| InvalidJson::Encoding)?;
        match scan(text)? {
            deep if deep > self.levels => {
                Err(InvalidJson::TooDeep { actual: deep, limit: self.levels })
            }
            _ => Ok(text),
        }
    }

    /// Checks the text and parses it.
    pub fn parse<T: DeserializeOwned>(self, json: &[u8]) -> Result<T, JsonError> {
        Ok(serde_json::from_str(self.check(json)?)?)
    }
}

/// Checks all but size and depth, which whoever keeps the text has limits for.
pub(crate) fn check_content(json: &str) -> Result<(), InvalidJson> {
    scan(json).map(drop)
}

/// Checks text that was stored before anybody looked, at the price of a search in most cases.
///
/// Only a private key has to be looked for: everything else is an error of the parser, but what
/// stands under this key is parsed anew, as deep again as anything may be.
pub(crate) fn check_stored(json: &str) -> Result<(), InvalidJson> {
    if json.contains("$serde_json::private::") || json.contains("\\u") {
        return match scan(json) {
            Err(InvalidJson::PrivateKey) => Err(InvalidJson::PrivateKey),
            _ => Ok(()),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> Option<InvalidJson> {
        JsonLimits::default().check(json.as_bytes()).err()
    }

    #[test]
    fn what_some_reader_cannot_decode_is_refused_wherever_it_stands() {
        for (json, expected) in [
            ("1e999", InvalidJson::Number),
            ("-1E+400", InvalidJson::Number),
            (&"9".repeat(400), InvalidJson::Number),
            (r#""\ud800""#, InvalidJson::Surrogate),
            (r#""\udc00\ud800""#, InvalidJson::Surrogate),
            (r#""\ud800\u0041""#, InvalidJson::Surrogate),
            (r#""\uD83D\n\uDE00""#, InvalidJson::Surrogate),
            (r#"{"$serde_json::private::RawValue":"1"}"#, InvalidJson::PrivateKey),
            (r#"{"$serde_json::private::Number" : "1"}"#, InvalidJson::PrivateKey),
            (r#"{"\u0024serde_json::private\u003a:RawValue":"1"}"#, InvalidJson::PrivateKey),
        ] {
            let places = [
                json.to_owned(),
                format!(" [0, {json}]"),
                format!("{{\"a\\\"\": {{\"b\": {json}}}}}"),
            ];
            for place in places {
                assert_eq!(refused(&place), Some(expected), "{place}");
            }
        }
        let key = r#"{"a":1,"\ud800":2}"#;
        assert_eq!(refused(key), Some(InvalidJson::Surrogate));
    }

    #[test]
    fn what_every_reader_can_decode_passes() {
        for json in [
            "1e308",
            "-0.0",
            "0e999",
            "1e-999",
            "123456789012345678901234567890",
            "null",
            r#""\ud83d\ude00 \\ud800 \" 1e999""#,
            r#"["$serde_json::private::RawValue", {"a":"$serde_json::private::Number"}]"#,
            r#"{"serde_json::private::RawValue":1,"$serde_json":2}"#,
        ] {
            assert_eq!(refused(json), None, "{json}");
            let _: serde_json::Value = JsonLimits::default().parse(json.as_bytes()).unwrap();
        }
    }

    #[test]
    fn size_depth_and_bytes_that_are_no_text_are_refused() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(refused(&nested(127)), None);
        let deep = Some(InvalidJson::TooDeep { actual: 128, limit: 127 });
        assert_eq!(refused(&nested(128)), deep);
        assert!(refused(&nested(4 << 20)).is_some(), "it takes no stack");
        let small = JsonLimits { bytes: 3, ..JsonLimits::default() };
        let long = Err(InvalidJson::TooLarge { actual: 4, limit: 3 });
        assert_eq!(small.check(b"1234"), long);
        assert_eq!(JsonLimits::default().check(b"\"\xff\""), Err(InvalidJson::Encoding));
    }

    #[test]
    fn what_is_no_json_is_left_to_the_parser() {
        for bad in ["", "{", "[1", "\"", "\"\\", "\"\\u", "\"\\u12", "\"\\ud8", "]", "1 2", "\\"] {
            let limits = JsonLimits::default();
            assert!(limits.parse::<serde_json::Value>(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_refused_anew_when_it_was_stored_is_only_what_the_parser_would_follow() {
        assert!(check_stored(r#"{"$serde_json::private::RawValue":"1"}"#).is_err());
        assert!(check_stored(r#"{"\u0024serde_json::private::RawValue":"1"}"#).is_err());
        for kept in [r#"{"a":1e999}"#, r#"["\ud800"]"#, r#""$serde_json::private::Number""#] {
            assert_eq!(check_stored(kept), Ok(()), "{kept}");
        }
    }
}
