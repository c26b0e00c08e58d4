//! Arguments of a call, as far as the methods of the hub tell them apart.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One argument of a call, whatever the protocol.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    /// Not given: JavaScript sends it for `undefined`, too.
    Null,
    /// Text.
    Text(String),
    /// A whole number from 0; one that came as a float without a fraction counts.
    Number(u64),
    /// Anything else; no method takes it.
    Other,
}

/// Up to here every whole number is a float of its own.
const FLOAT_WHOLE_MAX: f64 = 9_007_199_254_740_991.0;

impl Argument {
    fn from_float(number: f64) -> Self {
        if number.fract() == 0.0 && (0.0..=FLOAT_WHOLE_MAX).contains(&number) {
            return Self::Number(number as u64);
        }
        Self::Other
    }
}

/// Takes what the methods tell apart and skips the rest, without a value being made of it.
impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct OneOf;

        impl<'de> Visitor<'de> for OneOf {
            type Value = Argument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an argument")
            }

            fn visit_unit<E>(self) -> Result<Argument, E> {
                Ok(Argument::Null)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Argument, E> {
                Ok(Argument::Other)
            }

            fn visit_u64<E>(self, number: u64) -> Result<Argument, E> {
                Ok(Argument::Number(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Argument, E> {
                Ok(u64::try_from(number).map_or(Argument::Other, Argument::Number))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Argument, E> {
                Ok(Argument::from_float(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Argument, E> {
                Ok(Argument::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Argument, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Argument::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Argument, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Argument::Other)
            }
        }

        from.deserialize_any(OneOf)
    }
}

impl From<rmpv::Value> for Argument {
    fn from(value: rmpv::Value) -> Self {
        match value {
            rmpv::Value::Nil => Self::Null,
            rmpv::Value::String(text) => text.into_str().map_or(Self::Other, Self::Text),
            rmpv::Value::Integer(number) => number.as_u64().map_or(Self::Other, Self::Number),
            rmpv::Value::F32(float) => Self::from_float(f64::from(float)),
            rmpv::Value::F64(float) => Self::from_float(float),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_count_in_every_spelling_and_nothing_else_does() {
        let number = |json: &str| serde_json::from_str::<Argument>(json).unwrap();
        assert_eq!(number("42"), Argument::Number(42));
        assert_eq!(number("42.0"), Argument::Number(42));
        let raw = r#"{"$serde_json::private::RawValue":"[[1]]"}"#;
        for other in ["-1", "4.5", "1e300", "true", "[]", "{}", raw, "[[{}],{\"a\":[]}]"] {
            assert_eq!(number(other), Argument::Other, "{other}");
        }
        assert_eq!(Argument::from(rmpv::Value::F32(5.0)), Argument::Number(5));
        assert_eq!(Argument::from(rmpv::Value::from(-1)), Argument::Other);
        assert_eq!(Argument::from(rmpv::Value::F64(f64::NAN)), Argument::Other);
    }
}
