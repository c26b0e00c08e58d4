//! When two inputs start the same saga, though a release came between them.

use highwater_core::Payload;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How inputs that are not written alike are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sameness {
    /// The older one is the same when it reads as the newer one does: what it lacks has a default.
    ByState,
    /// And when one has all that the other has: the same event has made both.
    ByRelease,
}

impl Sameness {
    /// Tells whether `stored`, of any release, is the same as `input`, of this one.
    pub(crate) fn of<S: Serialize + DeserializeOwned>(
        self,
        stored: &Payload,
        input: &Payload,
    ) -> bool {
        let today = stored.to::<S>().and_then(|state| Payload::of(&state));
        if today.is_ok_and(|today| today.same_value(input)) {
            return true;
        }
        let has_all = |all: &Payload, of: &Payload| match (all.to(), of.to()) {
            (Ok(all), Ok(of)) => has_all(&all, &of),
            _ => false,
        };
        self == Self::ByRelease && (has_all(input, stored) || has_all(stored, input))
    }
}

/// Tells whether `all` has every member of `of`, and the same in it.
fn has_all(all: &Value, of: &Value) -> bool {
    match (all, of) {
        (Value::Object(all), Value::Object(of)) => {
            of.iter().all(|(key, value)| all.get(key).is_some_and(|found| has_all(found, value)))
        }
        (Value::Array(all), Value::Array(of)) => {
            all.len() == of.len() && all.iter().zip(of).all(|(all, of)| has_all(all, of))
        }
        _ => all == of,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Serialize, Deserialize)]
    struct Order {
        id: u32,
        #[serde(default)]
        note: String,
    }

    #[test]
    fn a_member_that_one_release_has_and_another_has_not_makes_no_other_order() {
        let payload = Payload::from;
        let stored = payload(json!({"id": 1}));
        let same = payload(json!({"id": 1, "note": ""}));
        let noted = payload(json!({"id": 1, "note": "fragile"}));
        let other = payload(json!({"id": 2, "note": ""}));
        assert!(Sameness::ByState.of::<Order>(&stored, &same));
        assert!(!Sameness::ByState.of::<Order>(&stored, &noted));
        assert!(Sameness::ByRelease.of::<Order>(&stored, &noted));
        assert!(Sameness::ByRelease.of::<Order>(&noted, &stored));
        for sameness in [Sameness::ByState, Sameness::ByRelease] {
            assert!(!sameness.of::<Order>(&stored, &other));
        }
    }
}
