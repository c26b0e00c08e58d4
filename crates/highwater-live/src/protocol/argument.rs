//! Arguments of a call, as far as the methods of the hub tell them apart.

use serde_json::Value as Json;

/// One argument of a call, whatever the protocol.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(from = "Json")]
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

impl From<Json> for Argument {
    fn from(value: Json) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::String(text) => Self::Text(text),
            Json::Number(number) => match (number.as_u64(), number.as_f64()) {
                (Some(whole), _) => Self::Number(whole),
                (None, Some(float)) => Self::from_float(float),
                (None, None) => Self::Other,
            },
            Json::Bool(_) | Json::Array(_) | Json::Object(_) => Self::Other,
        }
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
        for other in ["-1", "4.5", "1e300", "true", "[]", "{}"] {
            assert_eq!(number(other), Argument::Other, "{other}");
        }
        assert_eq!(Argument::from(rmpv::Value::F32(5.0)), Argument::Number(5));
        assert_eq!(Argument::from(rmpv::Value::from(-1)), Argument::Other);
        assert_eq!(Argument::from(rmpv::Value::F64(f64::NAN)), Argument::Other);
    }
}
