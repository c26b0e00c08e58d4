//! Which connections there are, and which of them make room when there are too many.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::connection_limits::client_of;

/// Counts connections, and knows in which order the server began to wait for each.
#[derive(Debug)]
pub(super) struct Connections {
    total_max: usize,
    address_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    waiting: usize,
    /// The number of the last wait that has begun.
    last: u64,
    clients: HashMap<IpAddr, Client>,
}

/// The connections of one address.
#[derive(Debug, Default)]
struct Client {
    total: usize,
    /// What closes each connection that is waited for, in the order in which the waits began.
    waiting: BTreeMap<u64, CancellationToken>,
}

/// One connection's place among them, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    connections: Arc<Connections>,
    client: IpAddr,
    /// The number of the wait that is under way.
    wait: Option<u64>,
    /// Cancelled when the connection has to make room.
    pub(super) evicted: CancellationToken,
}

impl Connections {
    pub(super) fn new(total_max: usize, address_max: usize) -> Arc<Self> {
        Arc::new(Self { total_max, address_max, open: Mutex::default() })
    }

    /// A place for a connection from `address`, which another one may have to make room for;
    /// `None` when all are busy.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let client = client_of(address);
        let mut open = self.open();
        let of_client = open.clients.get(&client).map_or(0, |client| client.total);
        if of_client >= self.address_max && !open.evict(Some(client)) {
            return None;
        }
        if open.total >= self.total_max && !open.evict(None) {
            return None;
        }
        open.total += 1;
        open.clients.entry(client).or_default().total += 1;
        drop(open);
        let connections = Arc::clone(self);
        Some(Place { connections, client, wait: None, evicted: CancellationToken::new() })
    }

    /// Closes the connection that has been waited for longest; false when there is none.
    pub(super) fn evict(&self) -> bool {
        self.open().evict(None)
    }

    /// Numbers of connections, and of those that are waited for.
    pub(super) fn count(&self) -> (usize, usize) {
        let open = self.open();
        (open.total, open.waiting)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Of all addresses the one that is waited for most often makes room: whoever has few
    /// connections keeps them.
    fn evict(&mut self, of: Option<IpAddr>) -> bool {
        let greediest = || self.clients.iter().max_by_key(|(_, client)| client.waiting.len());
        let Some(address) = of.or_else(|| greediest().map(|(address, _)| *address)) else {
            return false;
        };
        let Some(client) = self.clients.get_mut(&address) else { return false };
        let Some((_, evicted)) = client.waiting.pop_first() else { return false };
        self.waiting -= 1;
        self.leave(address);
        evicted.cancel();
        true
    }

    fn leave(&mut self, address: IpAddr) {
        self.total -= 1;
        if let Some(client) = self.clients.get_mut(&address) {
            client.total -= 1;
            if client.total == 0 {
                self.clients.remove(&address);
            }
        }
    }

    fn end_wait(&mut self, address: IpAddr, wait: u64) -> bool {
        let client = self.clients.get_mut(&address);
        let has_ended = client.is_some_and(|client| client.waiting.remove(&wait).is_some());
        self.waiting -= usize::from(has_ended);
        has_ended
    }
}

impl Place {
    /// The server begins to wait for the client, anew if it did already.
    pub(super) fn begin_wait(&mut self) {
        self.end_wait();
        if self.evicted.is_cancelled() {
            return;
        }
        let connections = Arc::clone(&self.connections);
        let mut open = connections.open();
        open.last += 1;
        let wait = open.last;
        // An address that is evicted has no place any more; there was one a moment ago.
        if let Some(client) = open.clients.get_mut(&self.client) {
            client.waiting.insert(wait, self.evicted.clone());
            open.waiting += 1;
            self.wait = Some(wait);
        }
    }

    /// The server has got what it was waiting for.
    pub(super) fn end_wait(&mut self) {
        if let Some(wait) = self.wait.take() {
            self.connections.open().end_wait(self.client, wait);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        if let Some(wait) = self.wait {
            open.end_wait(self.client, wait);
        }
        // Whoever was evicted has been taken off the books at once.
        if !self.evicted.is_cancelled() {
            open.leave(self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn waiting(connections: &Arc<Connections>, address: IpAddr) -> Place {
        let mut place = connections.enter(address).unwrap();
        place.begin_wait();
        place
    }

    #[test]
    fn one_more_takes_the_place_of_the_one_that_is_waited_for_longest() {
        let connections = Connections::new(3, 3);
        let (mut first, second) = (waiting(&connections, HOME), waiting(&connections, HOME));
        first.begin_wait();
        let busy = connections.enter(HOME).unwrap();
        let fourth = connections.enter(HOME).unwrap();
        assert!(second.evicted.is_cancelled() && !first.evicted.is_cancelled());
        drop(second);
        assert_eq!(connections.count(), (3, 1));
        let fifth = connections.enter(HOME).unwrap();
        assert!(first.evicted.is_cancelled());
        first.begin_wait();
        assert!(connections.enter(HOME).is_none(), "all are busy");
        drop((busy, fourth, fifth, first));
        assert_eq!(connections.count(), (0, 0));
    }

    #[test]
    fn the_address_that_is_waited_for_most_makes_room_and_none_has_more_than_its_share() {
        let connections = Connections::new(4, 3);
        let other = IpAddr::from([10, 0, 0, 1]);
        let alone = waiting(&connections, other);
        let greedy: Vec<_> = (0..3).map(|_| waiting(&connections, HOME)).collect();
        let _fresh = connections.enter(other).unwrap();
        assert!(greedy[0].evicted.is_cancelled() && !alone.evicted.is_cancelled());
        let _own = connections.enter(HOME).unwrap();
        assert!(!alone.evicted.is_cancelled());
        let one = Connections::new(9, 1);
        let _busy = one.enter(HOME).unwrap();
        assert!(one.enter(HOME).is_none() && one.enter(other).is_some());
    }
}
