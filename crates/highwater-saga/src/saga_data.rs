//! The state of a saga whose steps are closures: values by key.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::StepError;

/// JSON values by key; clones share them, so that a closure can own one.
#[derive(Debug, Clone, Default)]
pub struct SagaData(Arc<Mutex<Map<String, Value>>>);

impl SagaData {
    /// No values.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
