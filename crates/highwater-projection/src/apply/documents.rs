//! The documents of a view that are in memory.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use highwater_core::{BoxError, Document, Payload, Recorded, View};

/// Bytes of JSON above which the documents kept between two batches are dropped.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// Documents by their keys, as the store has them and as the events since have left them.
///
/// Only the holder of the lease writes a view's documents, so those of one batch may serve the
/// next; a batch that fails takes all of them with it.
pub(crate) struct Documents<D> {
    by_key: HashMap<String, Slot<D>>,
    changed: Vec<String>,
    bytes: usize,
}

struct Slot<D> {
    document: D,
    bytes: usize,
    is_stored: bool,
    is_kept: bool,
    is_changed: bool,
}

impl<D> Default for Documents<D> {
    fn default() -> Self {
        Self { by_key: HashMap::new(), changed: Vec::new(), bytes: 0 }
    }
}

impl<D: Default + serde::Serialize + serde::de::DeserializeOwned> Documents<D> {
    /// Makes room for each of `keys`, and says which the store has to be asked for.
    pub(crate) fn admit<'k>(&mut self, keys: impl Iterator<Item = &'k String>) -> Vec<String> {
        let mut unknown = Vec::new();
        for key in keys {
            if !self.by_key.contains_key(key) {
                self.by_key.insert(key.clone(), Slot::new());
                unknown.push(key.clone());
            }
        }
        unknown
    }

    /// Takes a document as the store has it.
    pub(crate) fn load(&mut self, stored: Document) -> Result<(), serde_json::Error> {
        let document = stored.data.to()?;
        let bytes = stored.key.len() + stored.data.as_str().len();
        let is = Slot { document, bytes, is_stored: true, is_kept: true, is_changed: false };
        self.bytes += bytes;
        match self.by_key.entry(stored.key) {
            Entry::Occupied(mut slot) => drop(slot.insert(is)),
            Entry::Vacant(slot) => drop(slot.insert(is)),
        }
        Ok(())
    }

    /// Applies an event to the document under `key`, which has been admitted.
    pub(crate) fn apply<V: View<Document = D>>(
        &mut self,
        view: &V,
        key: &str,
        event: &Recorded<V::Event>,
    ) -> Result<(), BoxError> {
        let slot = self.by_key.get_mut(key).ok_or("the document was not asked for")?;
        view.apply(&mut slot.document, key, event)?;
        slot.is_kept = view.keep(&slot.document);
        if !slot.is_kept {
            slot.document = D::default();
        }
        if !slot.is_changed {
            slot.is_changed = true;
            self.changed.push(key.to_owned());
        }
        Ok(())
    }

    /// Returns what has to be written, in the order of the keys; the documents then count as
    /// written.
    pub(crate) fn changes(&mut self) -> Result<Vec<(String, Option<Payload>)>, BoxError> {
        let mut keys = std::mem::take(&mut self.changed);
        keys.sort_unstable();
        let mut changes = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(slot) = self.by_key.get_mut(&key) else { continue };
            let data = if slot.is_kept { Some(Payload::of(&slot.document)?) } else { None };
            let bytes = data.as_ref().map_or(0, |data| key.len() + data.as_str().len());
            self.bytes = self.bytes + bytes - slot.bytes;
            let is_news = slot.is_stored || slot.is_kept;
            (slot.bytes, slot.is_stored, slot.is_changed) = (bytes, slot.is_kept, false);
            if is_news {
                changes.push((key, data));
            }
        }
        Ok(changes)
    }

    /// The documents for the next batch: none when they have grown too large.
    pub(crate) fn for_next_batch(self) -> Self {
        if self.bytes > KEPT_BYTES_MAX { Self::default() } else { self }
    }
}

impl<D: Default> Slot<D> {
    /// Returns what stands for a document that the store does not have.
    fn new() -> Self {
        let document = D::default();
        Self { document, bytes: 0, is_stored: false, is_kept: false, is_changed: false }
    }
}
