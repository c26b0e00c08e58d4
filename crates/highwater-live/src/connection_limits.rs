//! Limits on connections: admits them while there is room, and counts those that are open.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::access::Identity;
use crate::memory::{Account, Memory};
use crate::options::LiveLimits;
use crate::rate::Rate;

/// Counts connections against the limits.
#[derive(Debug)]
pub(crate) struct ConnectionLimiter {
    limits: LiveLimits,
    memory: Arc<Memory>,
    inside: Mutex<Inside>,
    total: watch::Sender<usize>,
}

#[derive(Debug)]
struct Inside {
    by_identity: HashMap<Identity, usize>,
    by_address: HashMap<IpAddr, usize>,
    /// Tokens that end the connections of each identity that is inside.
    revocations: HashMap<Identity, CancellationToken>,
    rate: Rate,
    /// Of addresses that have come lately.
    rates: HashMap<IpAddr, Rate>,
}

/// Room for one connection, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    limiter: Arc<ConnectionLimiter>,
    identity: Option<Identity>,
    address: Option<IpAddr>,
    /// What is held for the client.
    pub(crate) account: Arc<Account>,
    /// Cancelled when the identity has to come in anew.
    pub(crate) revoked: CancellationToken,
}

/// Reason why there is no room.
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

/// Addresses whose rates are remembered before those that have been quiet are forgotten.
const RATES: usize = 1024;

impl ConnectionLimiter {
    pub(crate) fn new(limits: LiveLimits, memory: Arc<Memory>) -> Arc<Self> {
        let rate = Rate::new(limits.connects_per_second, Instant::now());
        let inside = Mutex::new(Inside {
            by_identity: HashMap::new(),
            by_address: HashMap::new(),
            revocations: HashMap::new(),
            rate,
            rates: HashMap::new(),
        });
        Arc::new(Self { limits, memory, inside, total: watch::Sender::new(0) })
    }

    /// Tells whether one more may come in now: there is room, and not too many come at once.
    /// Whoever is told so is counted as one that comes, and gets a permit when it does, if there
    /// still is one.
    pub(crate) fn knock(
        &self,
        identity: Option<&Identity>,
        address: Option<IpAddr>,
    ) -> Result<(), Full> {
        let address = address.map(client_of);
        let mut inside = self.inside();
        self.check_room(&inside, identity, address)?;
        inside.count_arrival(address, self.limits.connects_per_second_per_address)
    }

    /// Gives a permit to one that was announced; nobody is counted for identity who has none.
    pub(crate) fn enter(
        self: &Arc<Self>,
        identity: Option<&Identity>,
        address: Option<IpAddr>,
    ) -> Result<ConnectionPermit, Full> {
        let address = address.map(client_of);
        let mut inside = self.inside();
        self.check_room(&inside, identity, address)?;
        add(&mut inside.by_identity, identity);
        add(&mut inside.by_address, address.as_ref());
        self.total.send_modify(|total| *total += 1);
        let revoked = match identity {
            Some(identity) => inside.revocations.entry(identity.clone()).or_default().clone(),
            None => CancellationToken::new(),
        };
        let account = self.memory.open();
        let limiter = Arc::clone(self);
        Ok(ConnectionPermit { limiter, identity: identity.cloned(), address, account, revoked })
    }

    fn check_room(
        &self,
        inside: &Inside,
        identity: Option<&Identity>,
        address: Option<IpAddr>,
    ) -> Result<(), Full> {
        if *self.total.borrow() >= self.limits.connections {
            return Err(Full::Total);
        }
        let of_identity = self.limits.connections_per_identity;
        let of_address = self.limits.connections_per_address;
        let has_room = has_room(&inside.by_identity, identity, of_identity)
            && has_room(&inside.by_address, address.as_ref(), of_address);
        if has_room { Ok(()) } else { Err(Full::Client) }
    }

    /// Asks whoever is inside under this identity to leave; who comes later is not concerned.
    pub(crate) fn revoke(&self, identity: &Identity) {
        if let Some(revocation) = self.inside().revocations.remove(identity) {
            revocation.cancel();
        }
    }

    /// The connections that are inside.
    pub(crate) fn total(&self) -> usize {
        *self.total.borrow()
    }

    /// Returns when nobody is inside any more.
    pub(crate) async fn all_closed(&self) {
        let mut total = self.total.subscribe();
        // Fails only when the sender is gone, and that is in `self`.
        drop(total.wait_for(|total| *total == 0).await);
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    /// Counts one that comes, if not too many do.
    ///
    /// Those of one address first: what it is refused takes nothing from the others.
    fn count_arrival(&mut self, address: Option<IpAddr>, limit: Option<u32>) -> Result<(), Full> {
        let now = Instant::now();
        if let (Some(address), Some(limit)) = (address, limit) {
            if self.rates.len() >= RATES {
                self.rates.retain(|_, rate| !rate.is_fresh(now));
            }
            let rate = self.rates.entry(address).or_insert_with(|| Rate::new(limit, now));
            if !rate.admits(now) {
                return Err(Full::Rate);
            }
        }
        if self.rate.admits(now) { Ok(()) } else { Err(Full::Rate) }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut inside = self.limiter.inside();
        remove(&mut inside.by_identity, self.identity.as_ref());
        remove(&mut inside.by_address, self.address.as_ref());
        if let Some(identity) = &self.identity
            && !inside.by_identity.contains_key(identity)
        {
            inside.revocations.remove(identity);
        }
        self.limiter.total.send_modify(|total| *total -= 1);
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

#[cfg(test)]
mod tests {
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
        let limiter = ConnectionLimiter::new(limits, Memory::new(1 << 20));
        let (ann, home) = (Identity::new("ann"), IpAddr::from([127, 0, 0, 1]));
        let first = limiter.enter(Some(&ann), Some(home)).unwrap();
        assert_eq!(limiter.enter(None, Some(home)).unwrap_err(), Full::Client);
        let second = limiter.enter(Some(&ann), None).unwrap();
        assert_eq!(limiter.enter(Some(&ann), None).unwrap_err(), Full::Client);
        let _third = limiter.enter(None, None).unwrap();
        assert_eq!(limiter.enter(None, None).unwrap_err(), Full::Total);
        drop((first, second));
        let _fourth = limiter.enter(Some(&ann), Some(home)).unwrap();
        assert_eq!(limiter.total(), 2);
    }

    #[test]
    fn a_client_is_an_address_or_a_network_of_ipv6() {
        let client = |address: &str| client_of(address.parse().unwrap());
        assert_eq!(client("::ffff:10.0.0.1"), client("10.0.0.1"));
        assert_ne!(client("::ffff:10.0.0.1"), client("::ffff:10.0.0.2"));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:0:0:1"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_too_often_from_one_address_keeps_out_no_other() {
        let limits = LiveLimits {
            connects_per_second: 5,
            connects_per_second_per_address: Some(2),
            ..Default::default()
        };
        let limiter = ConnectionLimiter::new(limits, Memory::new(1 << 20));
        let knock = |last| limiter.knock(None, Some(IpAddr::from([10, 0, 0, last])));
        let admitted = (0..100).filter(|_| knock(1).is_ok()).count();
        assert_eq!((admitted, knock(1)), (2, Err(Full::Rate)));
        assert_eq!((knock(2), knock(3)), (Ok(()), Ok(())));
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert_eq!(knock(1), Ok(()));
    }
}
