//! Places: an offset within a stream, a position within the store.

use std::fmt;

/// The largest place: what a signed 64-bit column of a database holds.
const PLACE_MAX: u64 = i64::MAX as u64;

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The first place there is.
            pub const FIRST: Self = Self(0);

            /// The place `n`, counted from 0; places above `i64::MAX` are lowered to it.
            #[must_use]
            pub const fn new(n: u64) -> Self {
                Self(if n > PLACE_MAX { PLACE_MAX } else { n })
            }

            /// The number of the place, counted from 0.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The place after this one.
            #[must_use]
            pub const fn next(self) -> Self {
                Self::new(self.0 + 1)
            }

            /// The place `after` this one and everything before it; the first when `None`.
            #[must_use]
            pub const fn following(after: Option<Self>) -> Self {
                match after {
                    Some(place) => place.next(),
                    None => Self::FIRST,
                }
            }

            /// As SQL keeps it: -1 for "nothing yet".
            #[must_use]
            pub const fn to_sql(place: Option<Self>) -> i64 {
                match place {
                    Some(place) => place.0.cast_signed(),
                    None => -1,
                }
            }

            /// From what SQL keeps: `None` for -1; below -1 there is no place.
            pub const fn from_sql(number: i64) -> Result<Option<Self>, InvalidPlace> {
                match number {
                    -1 => Ok(None),
                    0.. => Ok(Some(Self(number.cast_unsigned()))),
                    _ => Err(InvalidPlace(number)),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

places! {
    /// A place within a stream: gapless, from 0.
    ///
    /// "Nothing yet" is `None` in Rust and -1 in SQL and JSON.
    Offset;

    /// A place within the store: increasing in the order in which commits became visible.
    ///
    /// Opaque: there may be gaps, and only the order of two positions means something.
    Position;
}

/// A number below -1, which is neither a place nor "nothing yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is below -1, the value of \"nothing yet\"")]
pub struct InvalidPlace(pub i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_yet_is_minus_one_in_sql_and_less_is_refused() {
        assert_eq!(Offset::to_sql(None), -1);
        assert_eq!(Offset::from_sql(-1), Ok(None));
        assert_eq!(Offset::from_sql(7), Ok(Some(Offset::new(7))));
        assert_eq!(Offset::from_sql(-2), Err(InvalidPlace(-2)));
        assert_eq!(Offset::to_sql(Some(Offset::new(u64::MAX))), i64::MAX);
    }

    #[test]
    fn processing_starts_at_the_first_place_or_at_last_plus_one() {
        assert_eq!(Offset::following(None), Offset::new(0));
        assert_eq!(Offset::following(Some(Offset::new(4))), Offset::new(5));
    }
}
