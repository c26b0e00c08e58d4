//! The state of a saga whose steps are closures: values by key.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::StepError;

/// JSON values by key; clones share them, so that a closure can own one.
#[derive(Debug, Clone, Default)]
pub struct SagaData(Arc<Mutex<Map<String, Value>>>);

impl SagaData {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The members of what is written as a JSON object, such as a struct or a map.
    ///
    /// Fails for anything else. For the data that a saga is started with.
    pub fn of<T: Serialize + ?Sized>(object: &T) -> Result<Self, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(object)?)
    }

    /// The value under `key`; aborts when it is not there or not a `T`.
    pub fn require<T: DeserializeOwned>(&self, key: &str) -> Result<T, StepError> {
        let missing = || StepError::abort(format!("the saga has no {key:?}"));
        self.get(key)?.ok_or_else(missing)
    }

    /// The value under `key`, if it is there; aborts when it is not a `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StepError> {
        let value = self.values().get(key).cloned();
        value.map(serde_json::from_value).transpose().map_err(StepError::abort)
    }

    /// Sets the value under `key`; aborts when it cannot be written as JSON.
    pub fn set<T: Serialize>(&self, key: &str, value: T) -> Result<(), StepError> {
        let value = serde_json::to_value(value).map_err(StepError::abort)?;
        self.values().insert(key.to_owned(), value);
        Ok(())
    }

    fn values(&self) -> MutexGuard<'_, Map<String, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serialize for SagaData {
    fn serialize<T: serde::Serializer>(&self, to: T) -> Result<T::Ok, T::Error> {
        self.values().serialize(to)
    }
}

impl<'de> serde::Deserialize<'de> for SagaData {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let values = Map::deserialize(from)?;
        Ok(Self(Arc::new(Mutex::new(values))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_saga_is_started_with_is_the_members_of_an_object() {
        let data = SagaData::of(&json!({"traveller": "Ada", "nights": 3})).unwrap();
        assert_eq!(data.require::<u32>("nights").unwrap(), 3);
        assert!(SagaData::of(&json!({"nights": null})).is_ok());
        for no_object in [json!(3), json!([1]), json!(null)] {
            assert!(SagaData::of(&no_object).is_err(), "{no_object}");
        }
    }

    #[test]
    fn a_value_that_is_required_and_missing_or_of_another_kind_aborts_the_step() {
        let data = SagaData::of(&json!({"nights": "three"})).unwrap();
        for (key, why) in [("nights", "invalid type"), ("hotel", "the saga has no \"hotel\"")] {
            let error = data.require::<u32>(key).unwrap_err();
            assert!(error.is_final() && !error.is_in_doubt());
            assert!(error.text().contains(why), "{error:?}");
        }
        assert_eq!(data.get::<u32>("hotel").unwrap(), None);
    }
}
