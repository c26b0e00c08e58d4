//! A budget in bytes: what is held, and how much more may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that are held, of so many that may be.
#[derive(Debug)]
pub(crate) struct Bytes {
    max: usize,
    held: AtomicUsize,
}

/// Some of the bytes, until this is dropped.
#[derive(Debug)]
pub(crate) struct Load {
    of: Arc<Bytes>,
    bytes: usize,
}

impl Bytes {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: AtomicUsize::new(0) })
    }

    /// Number of bytes that may come on top.
    pub(crate) fn room(&self) -> usize {
        self.max.saturating_sub(self.held.load(Ordering::Relaxed))
    }

    pub(crate) fn is_exceeded(&self) -> bool {
        self.held.load(Ordering::Relaxed) > self.max
    }

    /// Holds these bytes, whether there is room for them or not: they are there.
    pub(crate) fn load(self: &Arc<Self>, bytes: usize) -> Load {
        self.held.fetch_add(bytes, Ordering::Relaxed);
        Load { of: Arc::clone(self), bytes }
    }

    /// Holds these bytes if there is room for them.
    pub(crate) fn try_load(self: &Arc<Self>, bytes: usize) -> Option<Load> {
        let add = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.max);
        let added = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        added.ok().map(|_| Load { of: Arc::clone(self), bytes })
    }
}

impl Load {
    /// Holds so many bytes from now on.
    pub(crate) fn resize(&mut self, bytes: usize) {
        self.of.held.fetch_add(bytes, Ordering::Relaxed);
        self.of.held.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.of.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back_and_what_there_is_no_room_for_is_refused() {
        let bytes = Bytes::new(10);
        let mut first = bytes.load(4);
        assert_eq!(bytes.room(), 6);
        assert!(bytes.try_load(7).is_none());
        first.resize(12);
        assert!(bytes.is_exceeded());
        assert_eq!(bytes.room(), 0);
        drop(first);
        let all = bytes.try_load(10);
        assert_eq!((bytes.room(), all.is_some()), (0, true));
        drop(all);
        assert_eq!(bytes.room(), 10);
    }
}
