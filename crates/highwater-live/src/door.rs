//! The door: lets connections in while there is room, and counts who is inside.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Identity, LiveLimits};

/// Counts connections against the limits.
#[derive(Debug)]
pub(crate) struct Door {
    limits: LiveLimits,
    inside: Mutex<Inside>,
    total: watch::Sender<usize>,
}

#[derive(Debug)]
struct Inside {
    by_identity: HashMap<Identity, usize>,
    by_address: HashMap<IpAddr, usize>,
    /// What ends the connections of each identity that is inside.
    dismissals: HashMap<Identity, CancellationToken>,
    rate: Rate,
}

/// Room for one connection, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    door: Arc<Door>,
    identity: Option<Identity>,
    address: Option<IpAddr>,
    /// Cancelled when the identity has to come in anew.
    pub(crate) dismissed: CancellationToken,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// Too many connections in total.
    #[error("too many connections")]
    Total,
    /// Too many connections of one identity or address.
    #[error("too many connections of one client")]
    Client,
    /// Too many connections at once.
    #[error("too many new connections")]
    Rate,
}

impl Door {
    pub(crate) fn new(limits: LiveLimits) -> Arc<Self> {
        let rate = Rate::new(limits.connects_per_second, Instant::now());
        let inside = Mutex::new(Inside {
            by_identity: HashMap::new(),
            by_address: HashMap::new(),
            dismissals: HashMap::new(),
            rate,
        });
        Arc::new(Self { limits, inside, total: watch::Sender::new(0) })
    }

    /// Lets one more connection in; nobody is counted for identity who has none.
    pub(crate) fn enter(
        self: &Arc<Self>,
        identity: Option<&Identity>,
        address: Option<IpAddr>,
    ) -> Result<Seat, Full> {
        let address = address.map(client_of);
        let mut inside = self.inside();
        if *self.total.borrow() >= self.limits.connections {
            return Err(Full::Total);
        }
        let has_room =
            has_room(&inside.by_identity, identity, self.limits.connections_per_identity)
                && has_room(
                    &inside.by_address,
                    address.as_ref(),
                    self.limits.connections_per_address,
                );
        if !has_room {
            return Err(Full::Client);
        }
        if !inside.rate.admits(Instant::now()) {
            return Err(Full::Rate);
        }
        add(&mut inside.by_identity, identity);
        add(&mut inside.by_address, address.as_ref());
        self.total.send_modify(|total| *total += 1);
        let dismissed = match identity {
            Some(identity) => inside.dismissals.entry(identity.clone()).or_default().clone(),
            None => CancellationToken::new(),
        };
        Ok(Seat { door: Arc::clone(self), identity: identity.cloned(), address, dismissed })
    }

    /// Asks whoever is inside under this identity to leave; who comes later is not concerned.
    pub(crate) fn dismiss(&self, identity: &Identity) {
        if let Some(dismissal) = self.inside().dismissals.remove(identity) {
            dismissal.cancel();
        }
    }

    /// The connections that are inside.
    pub(crate) fn total(&self) -> usize {
        *self.total.borrow()
    }

    /// Returns when nobody is inside any more.
    pub(crate) async fn emptied(&self) {
        let mut total = self.total.subscribe();
        // Fails only when the sender is gone, and that is in `self`.
        drop(total.wait_for(|total| *total == 0).await);
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inside = self.door.inside();
        remove(&mut inside.by_identity, self.identity.as_ref());
        remove(&mut inside.by_address, self.address.as_ref());
        if let Some(identity) = &self.identity
            && !inside.by_identity.contains_key(identity)
        {
            inside.dismissals.remove(identity);
        }
        self.door.total.send_modify(|total| *total -= 1);
    }
}

/// The address that connections are counted for: of IPv6 the first 64 bits, since each of its
/// clients has as many addresses as it likes behind them.
pub(crate) fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

fn has_room<K: Hash + Eq>(
    counts: &HashMap<K, usize>,
    key: Option<&K>,
    limit: Option<usize>,
) -> bool {
    match (key.and_then(|key| counts.get(key)), limit) {
        (Some(count), Some(limit)) => *count < limit,
        (None, Some(limit)) => limit > 0 || key.is_none(),
        (_, None) => true,
    }
}

fn add<K: Hash + Eq + Clone>(counts: &mut HashMap<K, usize>, key: Option<&K>) {
    if let Some(key) = key {
        *counts.entry(key.clone()).or_default() += 1;
    }
}

fn remove<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: Option<&K>) {
    let Some(key) = key else { return };
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// So many a second, and as many at once after a quiet second.
#[derive(Debug)]
struct Rate {
    per_second: f64,
    available: f64,
    seen: Instant,
}

impl Rate {
    fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, available: per_second, seen: now }
    }

    fn admits(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.seen).as_secs_f64();
        self.available = (self.available + passed * self.per_second).min(self.per_second);
        self.seen = now;
        let admits = self.available >= 1.0;
        if admits {
            self.available -= 1.0;
        }
        admits
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_limit_holds_and_a_seat_given_back_can_be_taken_again() {
        let limits = LiveLimits {
            connections: 3,
            connections_per_identity: Some(2),
            connections_per_address: Some(1),
            connects_per_second: 1_000,
            ..Default::default()
        };
        let door = Door::new(limits);
        let (ann, home) = (Identity::new("ann"), IpAddr::from([127, 0, 0, 1]));
        let first = door.enter(Some(&ann), Some(home)).unwrap();
        assert_eq!(door.enter(None, Some(home)).unwrap_err(), Full::Client);
        let second = door.enter(Some(&ann), None).unwrap();
        assert_eq!(door.enter(Some(&ann), None).unwrap_err(), Full::Client);
        let _third = door.enter(None, None).unwrap();
        assert_eq!(door.enter(None, None).unwrap_err(), Full::Total);
        drop((first, second));
        let _fourth = door.enter(Some(&ann), Some(home)).unwrap();
        assert_eq!(door.total(), 2);
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_ipv6() {
        let client = |address: &str| client_of(address.parse().unwrap());
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
        assert_ne!(client("::ffff:10.0.0.1"), client("::ffff:10.0.0.2"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:0:0:1"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
    }

    #[test]
    fn a_rate_admits_its_number_at_once_and_again_after_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(2, start);
        let admitted = |rate: &mut Rate, now| (0..5).filter(|_| rate.admits(now)).count();
        assert_eq!(admitted(&mut rate, start), 2);
        assert_eq!(admitted(&mut rate, start + Duration::from_millis(500)), 1);
        assert_eq!(admitted(&mut rate, start + Duration::from_secs(60)), 2);
    }
}
