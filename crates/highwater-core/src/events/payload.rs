//! Payloads: JSON text, parsed once, straight into the user's type.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::InvalidJson;
use super::json_limits::{check_content, check_stored};

/// One JSON value kept as the text it came in; cloning shares the text.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(Arc<str>);

impl Payload {
    /// Writes `value` as JSON; an error when some reader could not decode it.
    pub fn of<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        let payload = Self(serde_json::to_string(value)?.into());
        payload.check().map_err(serde::ser::Error::custom)?;
        Ok(payload)
    }

    /// Checks that `json` is one JSON value, and keeps its text without outer white space.
    ///
    /// What some reader could not decode is refused as by [`JsonLimits`](crate::events::JsonLimits), but
    /// for size and depth: these are for the store to judge, by its limits.
    pub fn parse(json: &str) -> Result<Self, serde_json::Error> {
        check_content(json).map_err(serde::de::Error::custom)?;
        let value: &RawValue = serde_json::from_str(json)?;
        Ok(Self(value.get().into()))
    }

    /// Takes text that a database has already checked to be one JSON value.
    ///
    /// For storage backends: parsing every event a second time costs a third of a catch-up.
    /// Text that is not JSON shows as a decode error of the event, or as an error when the
    /// payload is serialised.
    #[must_use]
    pub fn from_stored(json: &str) -> Self {
        Self(json.into())
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Parses the value into `T`.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        check_stored(&self.0).map_err(serde::de::Error::custom)?;
        serde_json::from_str(&self.0)
    }

    /// Refuses what some reader could not decode, whichever way the payload was made.
    pub(crate) fn check(&self) -> Result<(), InvalidJson> {
        check_content(&self.0)
    }

    /// Tells whether both are the same JSON value, however they are spaced, ordered and escaped.
    ///
    /// Numbers are the same when they are written alike: two that differ beyond what a float can
    /// hold must not pass for one. Values nested deeper than [`DEPTH_MAX`](Self::DEPTH_MAX) are
    /// the same when their text is.
    #[must_use]
    pub fn same_value(&self, other: &Self) -> bool {
        self == other || crate::events::json::is_same(&self.0, &other.0)
    }

    /// The deepest nesting that every reader can decode, as serde's own bound is 128 levels.
    pub const DEPTH_MAX: usize = 127;

    /// Tells how deep arrays and objects are nested, when that is more than [`Self::DEPTH_MAX`].
    #[must_use]
    pub fn too_deep(&self) -> Option<usize> {
        crate::events::json::deeper_than(&self.0, Self::DEPTH_MAX)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<serde_json::Value> for Payload {
    fn from(value: serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<Box<RawValue>> for Payload {
    fn from(value: Box<RawValue>) -> Self {
        Self(value.get().into())
    }
}

impl serde::Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(to)
    }
}

impl<'de> serde::Deserialize<'de> for Payload {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let payload = Box::<RawValue>::deserialize(from).map(Self::from)?;
        payload.check().map_err(serde::de::Error::custom)?;
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_come_back_as_they_were_written() {
        let mut bits = 1_u64;
        for _ in 0..10_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let float = f64::from_bits(bits);
            if float.is_finite() {
                let payload = Payload::of(&float).unwrap();
                assert_eq!(payload.to::<f64>().unwrap().to_bits(), bits, "{payload:?}");
            }
        }
    }

    #[test]
    fn the_text_is_kept_as_it_came() {
        let payload = Payload::parse(" {\"b\": 1.50, \"a\": 2} ").unwrap();
        assert_eq!(payload.as_str(), "{\"b\": 1.50, \"a\": 2}");
        assert_eq!(serde_json::to_string(&payload).unwrap(), "{\"b\": 1.50, \"a\": 2}");
        assert!(Payload::parse("{\"a\":").is_err());
        assert!(Payload::parse("1 2").is_err());
    }

    #[test]
    fn two_spellings_of_one_value_are_the_same_value() {
        let one = Payload::parse("{\"a\":1,\"b\":[2]}").unwrap();
        assert!(one.same_value(&Payload::parse("{ \"b\": [2], \"a\": 1 }").unwrap()));
        assert!(!one.same_value(&Payload::parse("{\"a\":1,\"b\":[3]}").unwrap()));
    }
}
