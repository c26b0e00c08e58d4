//! Documents, by projection and key.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use highwater_core::{Document, PageBudget, Payload, ProjectionName};

/// Strings are ordered by their bytes, as the contract wants keys to be.
#[derive(Debug, Default)]
pub(super) struct ReadModels(HashMap<ProjectionName, BTreeMap<String, Payload>>);

impl ReadModels {
    pub(super) fn get(&self, projection: &ProjectionName, keys: &[String]) -> Vec<Document> {
        let Some(documents) = self.0.get(projection) else { return Vec::new() };
        let found = keys.iter().filter_map(|key| documents.get_key_value(key));
        found.map(document).collect()
    }

    pub(super) fn scan(
        &self,
        projection: &ProjectionName,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Vec<Document> {
        let Some(documents) = self.0.get(projection) else { return Vec::new() };
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let behind = documents.range::<str, _>((start, Bound::Unbounded));
        let found = behind.take_while(|(key, _)| key.starts_with(prefix)).take(limit).map(document);
        let mut budget = PageBudget::default();
        found.take_while(|document| budget.admits(document.bytes())).collect()
    }

    /// Writes a document, or removes it.
    pub(super) fn put(&mut self, projection: &ProjectionName, key: String, data: Option<Payload>) {
        let documents = self.0.entry(projection.clone()).or_default();
        match data {
            Some(data) => documents.insert(key, data),
            None => documents.remove(&key),
        };
    }

    pub(super) fn clear(&mut self, projection: &ProjectionName) {
        self.0.remove(projection);
    }
}

fn document((key, data): (&String, &Payload)) -> Document {
    Document { key: key.clone(), data: data.clone() }
}
