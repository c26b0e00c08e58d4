//! JSON text as a MessagePack value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rmpv::Value;
use serde_json::Error;
use serde_json::value::RawValue;

/// The value of `json`, as clients would read it from the text.
///
/// Text may say what serde refuses and clients take: a number beyond every float, which is
/// infinite to them, and half a surrogate pair, which no text can hold and is replaced.
pub(super) fn pack(json: &str) -> Result<Value, Error> {
    serde_json::from_str(json).or_else(|_| pack_leniently(&without_half_pairs(json)))
}

/// Recurses once for each level of nesting, which the parser bounds.
fn pack_leniently(json: &str) -> Result<Value, Error> {
    match json.trim_start().as_bytes().first() {
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(json)?;
            let values = values.into_iter().map(|value| pack_leniently(value.get()));
            values.collect::<Result<_, _>>().map(Value::Array)
        }
        Some(b'{') => {
            let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json)?;
            let fields = fields
                .into_iter()
                .map(|(name, value)| Ok((Value::from(&*name), pack_leniently(value.get())?)));
            fields.collect::<Result<_, Error>>().map(Value::Map)
        }
        Some(b'-' | b'0'..=b'9') => serde_json::from_str(json).or_else(|error| {
            let _: &RawValue = serde_json::from_str(json)?;
            json.trim().parse().map(Value::F64).map_err(|_| error)
        }),
        _ => serde_json::from_str(json),
    }
}

/// The text with U+FFFD in place of each escaped half of a surrogate pair that lacks the other.
fn without_half_pairs(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let (replaced, length) = match (unit(rest), rest.get(6..).and_then(unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (None, 12),
            (Some(0xd800..=0xdfff), _) => (Some("\\ufffd"), 6),
            (Some(_), _) => (None, 6),
            (None, _) => (None, 2),
        };
        let (escape, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        text.push_str(replaced.unwrap_or(escape));
        rest = behind;
    }
    text.push_str(rest);
    text
}

/// The UTF-16 unit that an escape at the start of the text stands for.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}
