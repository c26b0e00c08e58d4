//! Ids that were given out and have not been used.
//!
//! They cost a line in a table and nothing else: no connection, no task, no queue. So whoever asks
//! for very many gets nothing by it, and takes nothing from others.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::access::Identity;
use crate::connection_limits::Full;
use crate::options::LiveOptions;

/// The ids that were given out, until they are used or too old.
#[derive(Debug)]
pub(super) struct Pending {
    patience: Duration,
    total: usize,
    of_one: Option<usize>,
    by_token: HashMap<String, Promise>,
    /// The newest ids of each address, the oldest first; those that were used may be among them.
    by_address: HashMap<Option<IpAddr>, VecDeque<String>>,
}

/// What is known of whoever has negotiated.
#[derive(Debug, Clone)]
pub(super) struct Promise {
    pub(super) identity: Option<Identity>,
    until: Instant,
}

impl Pending {
    pub(super) fn new(options: &LiveOptions) -> Self {
        Self {
            patience: options.attach_timeout,
            total: options.limits.connections,
            of_one: options.limits.connections_per_address,
            by_token: HashMap::new(),
            by_address: HashMap::new(),
        }
    }

    /// Gives out an id; of an address that has too many, the oldest becomes invalid.
    pub(super) fn insert(
        &mut self,
        token: String,
        identity: Option<Identity>,
        address: Option<IpAddr>,
    ) -> Result<(), Full> {
        let now = Instant::now();
        if self.by_token.len() >= self.total {
            self.forget_old(now);
        }
        if self.by_token.len() >= self.total {
            return Err(Full::Total);
        }
        let limit = address.and(self.of_one).unwrap_or(self.total).max(1);
        let tokens = self.by_address.entry(address).or_default();
        while tokens.len() >= limit
            || tokens.front().is_some_and(|oldest| !self.by_token.contains_key(oldest))
        {
            let Some(oldest) = tokens.pop_front() else { break };
            self.by_token.remove(&oldest);
        }
        tokens.push_back(token.clone());
        self.by_token.insert(token, Promise { identity, until: now + self.patience });
        Ok(())
    }

    pub(super) fn find(&self, token: &str) -> Option<&Promise> {
        self.by_token.get(token).filter(|promise| Instant::now() < promise.until)
    }

    pub(super) fn remove(&mut self, token: &str) {
        self.by_token.remove(token);
    }

    /// Makes the ids of an identity invalid.
    pub(super) fn revoke(&mut self, identity: &Identity) {
        self.by_token.retain(|_, promise| promise.identity.as_ref() != Some(identity));
    }

    pub(super) fn clear(&mut self) {
        self.by_token.clear();
        self.by_address.clear();
    }

    /// Number of tokens that can still be used.
    pub(super) fn len(&mut self) -> usize {
        self.forget_old(Instant::now());
        self.by_token.len()
    }

    fn forget_old(&mut self, now: Instant) {
        let by_token = &mut self.by_token;
        by_token.retain(|_, promise| now < promise.until);
        self.by_address.retain(|_, tokens| {
            tokens.retain(|token| by_token.contains_key(token));
            !tokens.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(total: usize, of_one: usize) -> Pending {
        let mut options = LiveOptions::default();
        options.limits.connections = total;
        options.limits.connections_per_address = Some(of_one);
        Pending::new(&options)
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_negotiates_without_end_only_uses_up_its_own_ids() {
        let mut pending = pending(100, 10);
        let address = |last| Some(IpAddr::from([10, 0, 0, last]));
        pending.insert("good".to_owned(), None, address(1)).unwrap();
        for number in 0..10_000 {
            pending.insert(number.to_string(), None, address(2)).unwrap();
        }
        assert_eq!(pending.len(), 11);
        assert!(pending.find("good").is_some() && pending.find("9999").is_some());
        assert!(pending.find("9989").is_none());
        tokio::time::advance(Duration::from_secs(16)).await;
        assert!(pending.find("good").is_none(), "it is too old");
        assert_eq!((pending.len(), pending.by_address.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn from_ever_new_addresses_there_are_so_many_and_then_room_again() {
        let mut pending = pending(100, 10);
        let from = |number: u32| Some(IpAddr::from(number.to_be_bytes()));
        let mut insert = |number: u32| pending.insert(number.to_string(), None, from(number));
        let given = (0..1_000).filter(|number| insert(*number).is_ok()).count();
        assert_eq!((given, insert(1)), (100, Err(Full::Total)));
        tokio::time::advance(Duration::from_secs(16)).await;
        assert_eq!(insert(1), Ok(()));
    }
}
