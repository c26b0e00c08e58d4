//! Names: checked once when made, so that no later layer has to.

use std::fmt;

use crate::text::Text;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// A text that cannot be a name, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} {reason}")]
pub struct InvalidName {
    /// Kind of name that the text was meant to be, such as "stream name".
    pub what: &'static str,
    /// The first 64 characters of the refused text.
    pub text: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

/// Reason why `text` cannot be a name, or `None` when it can.
const fn flaw(text: &str, reserved: bool) -> Option<&'static str> {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Some("is empty");
    }
    if bytes.len() > NAME_BYTES_MAX {
        return Some("is longer than 255 bytes");
    }
    if bytes[0] == b' ' || bytes[bytes.len() - 1] == b' ' {
        return Some("starts or ends with a space");
    }
    if reserved && bytes[0] == b'$' {
        return Some("starts with '$', which is kept for categories and for the whole log");
    }
    let mut at = 0;
    while at < bytes.len() {
        // C1 controls are written in UTF-8 as 0xC2 followed by 0x80 to 0x9F.
        let next = if at + 1 < bytes.len() { bytes[at + 1] } else { 0 };
        if bytes[at].is_ascii_control() || (bytes[at] == 0xC2 && next >= 0x80 && next < 0xA0) {
            return Some("has a control character");
        }
        at += 1;
    }
    None
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, reserved: $reserved:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Text);

        impl $name {
            /// Checks `name`: 1 to 255 bytes, no control characters, no space at either end.
            pub fn new(name: impl AsRef<str>) -> Result<Self, InvalidName> {
                let name = name.as_ref();
                match flaw(name, $reserved) {
                    None => Ok(Self(Text::from(name))),
                    Some(reason) => Err(InvalidName {
                        what: $what,
                        text: name.chars().take(64).collect(),
                        reason,
                    }),
                }
            }

            /// The name in a literal; a bad one in a `const` fails compilation.
            #[must_use]
            pub const fn from_static(name: &'static str) -> Self {
                assert!(flaw(name, $reserved).is_none(), concat!("not a valid ", $what));
                Self(Text::Static(name))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }
        impl Eq for $name {}
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }
        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(name: &str) -> Result<Self, InvalidName> {
                Self::new(name)
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = std::borrow::Cow::<'de, str>::deserialize(from)?;
                Self::new(name).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

names! {
    /// Names a stream: 1 to 255 bytes, no control characters, no space at either end.
    ///
    /// A leading `$` is refused: `$all` and `$category:…` name the streams that the store
    /// makes out of others, see [`Source`](crate::source::Source).
    StreamName, "stream name", reserved: true;

    /// Names a category: the part of a stream's name before the first `-`.
    Category, "category", reserved: true;

    /// Names a projection; its checkpoint and read model are kept under it.
    ProjectionName, "projection name", reserved: false;

    /// Names what happened, such as `UserAdded`.
    EventType, "event type", reserved: false;

    /// Names a kind of saga, such as `book-trip`.
    SagaName, "saga name", reserved: false;

    /// Identifies one saga; starting under the same id again starts nothing new.
    SagaId, "saga id", reserved: false;

    /// Identifies the business process that a saga belongs to, such as an order.
    CorrelationId, "correlation id", reserved: false;

    /// Names what a waiting saga waits for, such as `order-42/paid`.
    SignalKey, "signal key", reserved: false;
}

impl SagaId {
    /// A fresh id: UUID version 7, so that ids made later sort later.
    #[must_use]
    pub fn generate() -> Self {
        Self(Text::from(uuid::Uuid::now_v7().to_string().as_str()))
    }
}

impl From<SagaId> for CorrelationId {
    fn from(id: SagaId) -> Self {
        Self(id.0)
    }
}

impl StreamName {
    /// The stream in which a saga tells what becomes of it, its own and no other saga's.
    ///
    /// It is `saga-{name}-{id}` where that tells name and id apart: when the id is a UUID, or the
    /// name has no `-`. Otherwise it is `saga-%{name}-{id}`, with each `-` and `%` of the name
    /// written as `%2D` and `%25`. Fails when that is too long for a stream.
    pub fn of_saga(name: &SagaName, id: &SagaId) -> Result<Self, InvalidName> {
        let plain = format!("{name}-{id}");
        if !name.as_str().starts_with('%') && saga_of(&plain) == Some((name.as_str(), id.as_str()))
        {
            return Self::new(format!("saga-{plain}"));
        }
        let name = name.as_str().replace('%', "%25").replace('-', "%2D");
        Self::new(format!("saga-%{name}-{id}"))
    }

    /// The part before the first `-`, or the whole name when there is none.
    ///
    /// A name that starts with `-` has no such part and is its own category.
    #[must_use]
    pub fn category(&self) -> Category {
        let name = self.as_str();
        match name.split_once('-') {
            Some((part, _)) if !part.is_empty() => Category(Text::from(part)),
            _ => Category(self.0.clone()),
        }
    }
}

/// Tells how a text that was made of a name and an id is read: the id is the UUID at its end or,
/// if there is none, what stands behind the first dash.
fn saga_of(text: &str) -> Option<(&str, &str)> {
    const UUID: usize = 36;
    let cut = text.len().checked_sub(UUID).filter(|cut| text.is_char_boundary(*cut));
    let tail = cut.map(|cut| text.split_at(cut));
    tail.filter(|(_, id)| uuid::Uuid::try_parse(id).is_ok())
        .and_then(|(name, id)| Some((name.strip_suffix('-')?, id)))
        .or_else(|| text.split_once('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_of_1_to_255_bytes_without_controls_or_outer_spaces() {
        for good in ["a", "receipt-10011", "with space inside", "ünïcode", &"x".repeat(255)] {
            assert!(StreamName::new(good).is_ok(), "{good:?}");
        }
        let long = "x".repeat(256);
        for bad in ["", " a", "a ", "a\nb", "a\0", "\u{85}", "$all", "$category:a", &long] {
            assert!(StreamName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_category_is_the_part_before_the_first_dash() {
        for (stream, category) in [
            ("receipt-1", "receipt"),
            ("a-b-c", "a"),
            ("UserWorkflow", "UserWorkflow"),
            ("-x", "-x"),
        ] {
            assert_eq!(StreamName::from_static(stream).category(), category);
        }
    }

    #[test]
    fn no_two_sagas_share_a_stream_and_most_are_named_plainly() {
        let uuid = "0190163d-8694-739b-aea5-966c26f8ad91";
        let stream = |name: &str, id: &str| {
            let (name, id) = (SagaName::new(name).unwrap(), SagaId::new(id).unwrap());
            StreamName::of_saga(&name, &id).unwrap().to_string()
        };
        assert_eq!(stream("order", "order-7"), "saga-order-order-7");
        assert_eq!(stream("book-trip", uuid), format!("saga-book-trip-{uuid}"));
        assert_eq!(stream("book-trip", "trip-1"), "saga-%book%2Dtrip-trip-1");
        let parts = ["a", "b", "a-b", "b-c", "c", "%a", "%a%2Db", "a%2Db", "-", "-a", "a-", "%"];
        let parts = parts.map(str::to_owned).into_iter();
        let parts: Vec<_> =
            parts.flat_map(|part| [part.clone(), format!("{part}-{uuid}"), uuid.into()]).collect();
        let mut seen = std::collections::HashMap::new();
        for (name, id) in parts.iter().flat_map(|name| parts.iter().map(move |id| (name, id))) {
            let stream = stream(name, id);
            assert_eq!(StreamName::new(&stream).unwrap().category(), "saga");
            assert_eq!(seen.entry(stream).or_insert((name, id)), &(name, id));
        }
    }

    #[test]
    fn a_bad_name_is_refused_when_read_from_json() {
        assert!(serde_json::from_str::<StreamName>("\"\"").is_err());
        assert!(serde_json::from_str::<StreamName>("\"a\\u0007\"").is_err());
    }
}
