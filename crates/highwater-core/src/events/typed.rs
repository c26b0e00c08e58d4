//! Typed events: a serde enum, and nothing else to keep in step with it.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Payload;
use super::json_limits::check_stored;
use crate::name::{EventType, InvalidName, StreamName};
use crate::offset::Offset;

/// A family of events: an enum tagged `type` with its content in `data`.
///
/// ```
/// # use serde::{Serialize, Deserialize};
/// #[derive(Serialize, Deserialize)]
/// #[serde(tag = "type", content = "data")]
/// enum AccountEvent {
///     Opened { owner: String },
///     Deposited { cents: i64 },
///     Closed,
/// }
/// impl highwater_core::Event for AccountEvent {}
///
/// # use highwater_core::Event;
/// assert_eq!(AccountEvent::types().unwrap(), ["Opened", "Deposited", "Closed"]);
/// ```
///
/// Add variants and `#[serde(default)]` fields as the events evolve; renamed or reshaped ones
/// are brought up to date by [`Upcasters`](crate::events::Upcasters).
pub trait Event: serde::Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The event types that the enum has a variant for, as serde knows them.
    ///
    /// Fails for a type that is not an enum tagged `type` with its content in `data`.
    fn types() -> Result<Vec<EventType>, NotAnEventEnum> {
        match Self::deserialize(Tagged::<Probe>::new("\u{0}", "null")) {
            Err(Probe::Variants(names)) if !names.is_empty() => names
                .iter()
                .map(|name| EventType::new(name).map_err(|_| NotAnEventEnum::of::<Self>()))
                .collect(),
            _ => Err(NotAnEventEnum::of::<Self>()),
        }
    }
}

/// A payload type that a projection can ask for: an [`Event`] enum, or [`Payload`] for any.
///
/// ```
/// use highwater_core::{Decode, EventType, Payload};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let any = Payload::decode(&EventType::new("Deposited")?, &Payload::parse("100")?)?;
/// assert_eq!(any.to::<i64>()?, 100);
/// assert_eq!(Payload::event_types()?, None);
/// # Ok(())
/// # }
/// ```
pub trait Decode: Sized + Send + Sync + 'static {
    /// The event types that can be decoded; `None` for every type.
    fn event_types() -> Result<Option<Vec<EventType>>, NotAnEventEnum>;

    /// Decodes one payload.
    fn decode(event_type: &EventType, data: &Payload) -> Result<Self, serde_json::Error>;
}

impl<E: Event> Decode for E {
    fn event_types() -> Result<Option<Vec<EventType>>, NotAnEventEnum> {
        E::types().map(Some)
    }

    fn decode(event_type: &EventType, data: &Payload) -> Result<Self, serde_json::Error> {
        Self::deserialize(Tagged::new(event_type.as_str(), data.as_str()))
    }
}

impl Decode for Payload {
    fn event_types() -> Result<Option<Vec<EventType>>, NotAnEventEnum> {
        Ok(None)
    }

    fn decode(_: &EventType, data: &Payload) -> Result<Self, serde_json::Error> {
        Ok(data.clone())
    }
}

/// An event whose stored payload does not fit the type that was asked for.
#[derive(Debug, thiserror::Error)]
#[error("event {offset} of stream {stream:?} ({event_type:?}) cannot be decoded")]
pub struct DecodeError {
    /// The event's stream.
    pub stream: StreamName,
    /// The event's place in the stream.
    pub offset: Offset,
    /// The event's type.
    pub event_type: EventType,
    /// Error of serde about the payload.
    pub source: serde_json::Error,
}

/// An event that does not serialise to `{"type": …, "data": …}`.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Serde refused the event, or wrote something without a `type`.
    #[error("the event does not serialise to a JSON object with a type")]
    Json(#[from] serde_json::Error),
    /// The variant's name cannot be an event type.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

/// A type that is not an enum tagged `type` with its content in `data`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0} is not an enum with #[serde(tag = \"type\", content = \"data\")]")]
pub struct NotAnEventEnum(&'static str);

impl NotAnEventEnum {
    fn of<E>() -> Self {
        Self(std::any::type_name::<E>())
    }
}

/// Writes `event` and takes its type and payload apart; a unit variant's payload is `null`.
pub(crate) fn encode<E: Event>(event: &E) -> Result<(EventType, Payload), EncodeError> {
    #[derive(serde::Deserialize)]
    struct Parts<'a> {
        #[serde(rename = "type")]
        event_type: EventType,
        #[serde(borrow)]
        data: Option<&'a RawValue>,
    }
    let json = serde_json::to_string(event)?;
    let parts: Parts<'_> = serde_json::from_str(&json)?;
    let data = parts.data.map_or("null", RawValue::get);
    Ok((parts.event_type, Payload::from_stored(data)))
}

/// Presents a type and a payload to serde as the map `{"type": tag, "data": content}`, so that
/// the payload is parsed once, straight into the variant.
struct Tagged<'a, Err> {
    tag: Option<&'a str>,
    content: Option<&'a str>,
    error: PhantomData<Err>,
}

impl<'a, Err> Tagged<'a, Err> {
    const fn new(tag: &'a str, content: &'a str) -> Self {
        Self { tag: Some(tag), content: Some(content), error: PhantomData }
    }
}

impl<'de, Err: de::Error + From<serde_json::Error>> Deserializer<'de> for Tagged<'de, Err> {
    type Error = Err;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Err> {
        visitor.visit_map(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de, Err: de::Error + From<serde_json::Error>> MapAccess<'de> for Tagged<'de, Err> {
    type Error = Err;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Err> {
        let key = match (self.tag, self.content) {
            (Some(_), _) => "type",
            (None, Some(_)) => "data",
            (None, None) => return Ok(None),
        };
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Err> {
        match (self.tag.take(), self.content) {
            (Some(tag), _) => seed.deserialize(tag.into_deserializer()),
            (None, content) => {
                self.content = None;
                let content = content.unwrap_or("null");
                check_stored(content).map_err(Err::custom)?;
                let mut json = serde_json::Deserializer::from_str(content);
                seed.deserialize(&mut json).map_err(Err::from)
            }
        }
    }
}

/// Learns the variants of an enum from serde's own complaint about a tag that none has.
#[derive(Debug)]
enum Probe {
    Variants(&'static [&'static str]),
    Other,
}

impl std::error::Error for Probe {}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("asked for the variants")
    }
}

impl From<serde_json::Error> for Probe {
    fn from(_: serde_json::Error) -> Self {
        Self::Other
    }
}

impl de::Error for Probe {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Other
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Variants(expected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    #[serde(tag = "type", content = "data", rename_all = "kebab-case")]
    enum Account {
        Opened {
            owner: String,
        },
        Deposited(i64),
        #[serde(rename = "T02 Closed for good")]
        Closed,
    }
    impl Event for Account {}

    #[derive(serde::Serialize, serde::Deserialize)]
    struct NotAnEnum {
        #[serde(rename = "type")]
        kind: String,
    }
    impl Event for NotAnEnum {}

    #[test]
    fn the_event_types_are_what_serde_calls_the_variants() {
        assert_eq!(Account::types().unwrap(), ["opened", "deposited", "T02 Closed for good"]);
        assert!(NotAnEnum::types().is_err());
    }

    #[test]
    fn an_event_survives_encoding_and_decoding() {
        for event in
            [Account::Opened { owner: "Ada".into() }, Account::Deposited(-5), Account::Closed]
        {
            let (event_type, data) = encode(&event).unwrap();
            assert_eq!(Account::decode(&event_type, &data).unwrap(), event);
        }
        assert_eq!(encode(&Account::Closed).unwrap().1.as_str(), "null");
    }

    #[test]
    fn an_unknown_type_and_a_misshapen_payload_are_errors() {
        let payload = Payload::parse("{\"owner\":1}").unwrap();
        for event_type in ["opened", "unheard-of"] {
            let event_type = EventType::from_static(event_type);
            assert!(Account::decode(&event_type, &payload).is_err());
        }
    }
}
