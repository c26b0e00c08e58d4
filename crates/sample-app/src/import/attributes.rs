//! The attributes of a CloudEvent, as they were sent.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::cloud_event::BadLine;

/// The members of one JSON object, each with the text that it was sent as; none comes twice.
#[derive(Debug)]
pub(crate) struct Attributes<'a>(BTreeMap<String, &'a RawValue>);

impl<'a> Attributes<'a> {
    /// Reads one JSON object.
    pub(crate) fn parse(line: &'a [u8]) -> Result<Self, BadLine> {
        // The members stay text, which is not looked into; what becomes of an event is checked as
        // payload and metadata, so that the error names the part.
        serde_json::from_slice(line).map_err(|error| BadLine::Json(cause(line, &error)))
    }

    /// A text that is there and not empty.
    pub(crate) fn required(&self, name: &'static str) -> Result<String, BadLine> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or(BadLine::Missing(name))
    }

    /// A text, if it is there; `null` is how some write that it is not.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, BadLine> {
        let Some(json) = self.0.get(name) else { return Ok(None) };
        serde_json::from_str(json.get()).map_err(|_| BadLine::NotText(name))
    }

    /// The value as a text, also of a number or a truth value, if there is one.
    pub(crate) fn shown(&self, name: &str) -> Option<String> {
        let json = self.0.get(name)?.get();
        let text = match json.as_bytes().first()? {
            b'"' => serde_json::from_str(json).ok()?,
            b'{' | b'[' | b'n' => return None,
            _ => json.to_owned(),
        };
        Some(text).filter(|text| !text.is_empty())
    }

    /// Takes one out, unless it is not there or `null`.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        self.0.remove(name).filter(|json| json.get() != "null")
    }

    /// All that are left, as one JSON object.
    pub(crate) fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&self.0)
    }
}

/// What is wrong with the line, in terms of lines of the input and not of its own.
fn cause(line: &[u8], error: &serde_json::Error) -> String {
    match line.trim_ascii_start().first() {
        Some(0xff | 0xfe) => "it looks like UTF-16, save it as UTF-8".to_owned(),
        Some(b'[') => "it is an array, write its events one a line".to_owned(),
        Some(b'{') if error.is_eof() => "the object does not end in its line".to_owned(),
        _ => error.to_string().replace(" at line 1 column ", " at column "),
    }
}

impl<'de> Deserialize<'de> for Attributes<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Attributes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            if members.contains_key(&name) {
                return Err(M::Error::custom(format_args!("{name:?} is there twice")));
            }
            members.insert(name, value);
        }
        Ok(Attributes(members))
    }
}
