//! Amounts of money: exact decimals, read from and written as the text of a number.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The least that is too much.
const BOUND: i64 = 10_000_000_000;

/// Digits behind the point; with [`BOUND`] it leaves room for sums and products without rounding.
const DECIMALS_MAX: u32 = 8;

/// An exact amount that keeps the text it came in; equal when the value is.
///
/// Reads a JSON number or a string with one in it, and writes a number. No binary fraction is
/// ever made of it: 0.1 and 0.2 are 0.3.
#[derive(Clone)]
pub(super) struct Amount {
    number: Box<RawValue>,
    value: Decimal,
}

/// A text that is no amount, and why.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum InvalidAmount {
    #[error("it is not a number")]
    NotANumber,
    #[error("it has more than {DECIMALS_MAX} decimals, or is not below {BOUND}")]
    OutOfBounds,
}

impl Amount {
    pub(super) fn value(&self) -> Decimal {
        self.value
    }

    /// Reads a JSON number, or a JSON string with one in it.
    fn parse(json: &str) -> Result<Self, InvalidAmount> {
        let not_a_number = |_| InvalidAmount::NotANumber;
        let number = match json.starts_with('"') {
            true => serde_json::from_str(json).map_err(not_a_number)?,
            false => json.to_owned(),
        };
        let number = RawValue::from_string(number).map_err(not_a_number)?;
        if !number.get().starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Err(InvalidAmount::NotANumber);
        }
        let value = exactly(number.get()).ok_or(InvalidAmount::OutOfBounds)?;
        if value.abs() >= Decimal::from(BOUND) || value.scale() > DECIMALS_MAX {
            return Err(InvalidAmount::OutOfBounds);
        }
        Ok(Self { number, value })
    }
}

/// The value of a JSON number without trailing zeros; `None` when it would have to be rounded.
fn exactly(number: &str) -> Option<Decimal> {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let digits = Decimal::from_str_exact(digits).ok()?.normalize();
    let scale = i64::from(digits.scale()) - i64::from(exponent.parse::<i32>().ok()?);
    let (mantissa, scale) = match u32::try_from(scale) {
        Ok(scale) => (digits.mantissa(), scale),
        Err(_) => {
            let factor = 10_i128.checked_pow(u32::try_from(-scale).ok()?)?;
            (digits.mantissa().checked_mul(factor)?, 0)
        }
    };
    Some(Decimal::try_from_i128_with_scale(mantissa, scale).ok()?.normalize())
}

impl PartialEq for Amount {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number.get())
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.number.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(from)?;
        Self::parse(json.get()).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(json: &str) -> Amount {
        Amount::parse(json).unwrap()
    }

    #[test]
    fn decimals_add_and_multiply_exactly() {
        let value = |json| amount(json).value();
        assert_eq!(value("0.1") + value("0.2"), value("0.3"));
        assert_eq!(value("19.99") * Decimal::from(3), value("59.97"));
        let sum = value("9999999999.99999999") * Decimal::from(1_000_000) * Decimal::from(500);
        assert_eq!(sum.normalize().to_string(), "4999999999999999995");
    }

    #[test]
    fn one_value_is_equal_however_it_is_written() {
        for (one, other) in [
            ("1e2", "100"),
            ("1E+2", "100.00"),
            ("5997e-2", "59.97"),
            ("\"59.970\"", "59.97"),
            ("-0.0", "0"),
            ("0e5", "0"),
        ] {
            assert_eq!(amount(one), amount(other));
        }
        assert_ne!(amount("0.30000000"), amount("0.30000001"));
    }

    #[test]
    fn the_text_is_kept_and_written_as_a_number() {
        for (json, written) in [("59.90", "59.90"), ("\"59.90\"", "59.90"), ("1e2", "1e2")] {
            let read: Amount = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), written);
        }
    }

    #[test]
    fn what_is_no_number_or_cannot_be_held_exactly_is_refused() {
        for json in [
            "null", "true", "[1]", "{}", "\"\"", "\"ten\"", "\"+1\"", "\".5\"", "\"1_0\"",
            "\"0x1\"", "\"null\"",
        ] {
            assert_eq!(Amount::parse(json), Err(InvalidAmount::NotANumber), "{json}");
        }
        for json in [
            "1e10",
            "-1e10",
            "10000000000",
            "0.000000001",
            "1e999999999",
            "1e-30",
            "1e99999999999999",
        ] {
            assert_eq!(Amount::parse(json), Err(InvalidAmount::OutOfBounds), "{json}");
        }
        let long = format!("0.{}", "3".repeat(10_000));
        assert_eq!(Amount::parse(&long), Err(InvalidAmount::OutOfBounds));
    }
}
