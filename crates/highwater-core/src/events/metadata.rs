//! What travels with an event beside its payload.

use std::fmt;

use serde_json::{Map, Value};

use super::Payload;

const CORRELATION_ID: &str = "correlationId";
const CAUSATION_ID: &str = "causationId";

/// A JSON object beside the payload: correlation id, causation id and whatever the user adds.
///
/// Reading an event does not parse it; each accessor does, on demand.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata(Option<Payload>);

/// Metadata that is not a JSON object, is nested deeper than 127 levels, or has text that is none.
#[derive(Debug, thiserror::Error)]
#[error("metadata is not a JSON object that can be decoded")]
pub struct InvalidMetadata;

impl Metadata {
    /// Metadata with nothing in it.
    pub const EMPTY: Self = Self(None);

    /// Takes a JSON object; `null` and `{}` are empty metadata.
    pub fn new(json: Payload) -> Result<Self, InvalidMetadata> {
        match json.to::<Option<Map<String, Value>>>() {
            Ok(Some(fields)) if !fields.is_empty() => Ok(Self(Some(json))),
            Ok(_) => Ok(Self(None)),
            Err(_) => Err(InvalidMetadata),
        }
    }

    /// Takes what a store has kept; `None` is empty metadata.
    #[must_use]
    pub fn from_stored(json: Option<&str>) -> Self {
        Self(json.map(Payload::from_stored))
    }

    /// The JSON object, or `None` when there is nothing in it.
    #[must_use]
    pub fn as_payload(&self) -> Option<&Payload> {
        self.0.as_ref()
    }

    /// Names the business process that the event belongs to.
    #[must_use]
    pub fn with_correlation_id(self, id: impl Into<String>) -> Self {
        self.with(CORRELATION_ID, Value::String(id.into()))
    }

    /// Names the event or command that caused the event.
    #[must_use]
    pub fn with_causation_id(self, id: impl Into<String>) -> Self {
        self.with(CAUSATION_ID, Value::String(id.into()))
    }

    /// Sets the field `key`.
    #[must_use]
    pub fn with(self, key: &str, value: impl Into<Value>) -> Self {
        let mut fields = self.fields();
        fields.insert(key.to_owned(), value.into());
        Self(Some(Payload::from(Value::Object(fields))))
    }

    /// The business process that the event belongs to.
    #[must_use]
    pub fn correlation_id(&self) -> Option<String> {
        self.text(CORRELATION_ID)
    }

    /// The event or command that caused the event.
    #[must_use]
    pub fn causation_id(&self) -> Option<String> {
        self.text(CAUSATION_ID)
    }

    /// The field `key`, if it is there and is text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        match self.get(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The field `key`, if it is there.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value> {
        self.fields().remove(key)
    }

    fn fields(&self) -> Map<String, Value> {
        self.0.as_ref().and_then(|json| json.to().ok()).unwrap_or_default()
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(json) => json.fmt(f),
            None => f.write_str("{}"),
        }
    }
}

impl serde::Serialize for Metadata {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(json) => json.serialize(to),
            None => Map::<String, Value>::new().serialize(to),
        }
    }
}

impl<'de> serde::Deserialize<'de> for Metadata {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = Payload::deserialize(from)?;
        Self::new(json).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_an_object_and_keeps_every_field() {
        let metadata = Metadata::EMPTY.with_correlation_id("order-1").with("tenant", "acme");
        assert_eq!(metadata.correlation_id().as_deref(), Some("order-1"));
        assert_eq!(metadata.text("tenant").as_deref(), Some("acme"));
        assert_eq!(metadata.causation_id(), None);
        assert!(Metadata::new(Payload::parse("[1]").unwrap()).is_err());
        assert_eq!(Metadata::new(Payload::parse("{}").unwrap()).unwrap(), Metadata::EMPTY);
    }
}
