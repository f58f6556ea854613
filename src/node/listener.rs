//! Letting others in.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::link::{self, Halves};
use crate::overlay::{Direction, Instant, Reason, TokenBucket};
use crate::wire::Goodbye;

use super::Event;
use super::link_task::{self, Established};
use super::reasons::reason_of;
use super::shared::Shared;

/// Connections that are being set up at the same time, in all and from one address.
const HALF_OPEN: usize = 64;
const HALF_OPEN_PER_IP: usize = 4;
/// Connections taken in one go, and one more in this time; in all and from one address.
const ACCEPTS: (u32, Duration) = (400, Duration::from_micros(2500));
const ACCEPTS_PER_IP: (u32, Duration) = (16, Duration::from_millis(250));
/// Addresses remembered for their connections.
const ADDRESSES: usize = 4096;
/// After an error of the operating system (no file descriptors left) the listener waits this long.
const BREATH: Duration = Duration::from_millis(100);

/// Takes connections until the node stops.
pub(super) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            () = shared.closing.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, remote)) => match shared.doorkeeper.enter(shared.now().instant, remote.ip()) {
                Some(pass) => drop(shared.tasks.spawn(arrive(shared.clone(), stream, remote, pass))),
                // Over the limits a connection is closed unread.
                None => refused(&shared, remote, Reason::Overload),
            },
            Err(error) => {
                tracing::warn!(%error, "no connection could be taken; trying again");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn arrive(shared: Arc<Shared>, stream: TcpStream, remote: SocketAddr, pass: Pass) {
    let outcome = tokio::select! {
        () = shared.closing.cancelled() => return,
        outcome = set_up(&shared, stream, remote) => outcome,
    };
    drop(pass);
    match outcome {
        Ok(established) => link_task::start(&shared, established),
        Err(reason) => refused(&shared, remote, reason),
    }
}

fn refused(shared: &Shared, remote: SocketAddr, reason: Reason) {
    tracing::debug!(%remote, %reason, "connection refused");
    shared.with_core(|core| core.count(reason));
    shared.emit(Event::ConnectionRefused { remote, reason });
}

async fn set_up(shared: &Arc<Shared>, stream: TcpStream, remote: SocketAddr) -> Result<Established, Reason> {
    let local = stream.local_addr().ok();
    // It only costs latency if the system refuses.
    let _ = stream.set_nodelay(true);
    let admit = link_task::admit(shared);
    let arrival = link::accept(&*shared.channel, Halves::from(stream), &admit).await;
    let arrival = arrival.map_err(|error| link_task::refusal(shared, &error))?;
    let hello = shared.hello_at(local);
    match link_task::register(shared, None, arrival.peer(), Direction::Inbound, remote, arrival.hello()) {
        Ok(registered) => match arrival.welcome(&hello).await {
            Ok(link) => Ok(registered.established(link)),
            Err(error) => {
                let reason = reason_of(&error);
                registered.lost(reason);
                Err(reason)
            }
        },
        Err(refused) => {
            if let Some(code) = refused.goodbye {
                arrival.refuse(Goodbye::new(code, "")).await;
            }
            Err(refused.reason)
        }
    }
}

/// Counts who is at the door, so that nobody can block it for others.
#[derive(Debug, Default)]
pub(super) struct Doorkeeper {
    state: Arc<Mutex<Door>>,
}

#[derive(Debug, Default)]
struct Door {
    half_open: usize,
    accepts: Option<TokenBucket>,
    by_ip: BTreeMap<IpAddr, Visitor>,
}

#[derive(Debug)]
struct Visitor {
    half_open: usize,
    accepts: TokenBucket,
}

/// The right to set up one connection; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Pass {
    state: Arc<Mutex<Door>>,
    ip: IpAddr,
}

impl Doorkeeper {
    /// Lets a connection in, if neither its address nor all together are over their limits. From the machine itself only
    /// the limits for all hold: a whole network may run on it.
    fn enter(&self, now: Instant, ip: IpAddr) -> Option<Pass> {
        let ip = ip.to_canonical();
        let mut door = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // First its own limits: what is refused for these is not charged to all.
        if !ip.is_loopback() && !door.visitor(now, ip).may_enter(now) {
            return None;
        }
        let all = door.accepts.get_or_insert_with(|| TokenBucket::new(ACCEPTS.0, ACCEPTS.1, now));
        if !all.take(now) || door.half_open >= HALF_OPEN {
            return None;
        }
        if let Some(visitor) = door.by_ip.get_mut(&ip) {
            visitor.half_open += 1;
        }
        door.half_open += 1;
        Some(Pass { state: self.state.clone(), ip })
    }
}

impl Door {
    fn visitor(&mut self, now: Instant, ip: IpAddr) -> &mut Visitor {
        if self.by_ip.len() >= ADDRESSES && !self.by_ip.contains_key(&ip) {
            // Whoever has nothing half open is forgotten, and with it only how quickly it came lately.
            self.by_ip.retain(|_, visitor| visitor.half_open > 0);
        }
        let fresh = || Visitor { half_open: 0, accepts: TokenBucket::new(ACCEPTS_PER_IP.0, ACCEPTS_PER_IP.1, now) };
        self.by_ip.entry(ip).or_insert_with(fresh)
    }
}

impl Visitor {
    fn may_enter(&mut self, now: Instant) -> bool {
        self.half_open < HALF_OPEN_PER_IP && self.accepts.take(now)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut door = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        door.half_open = door.half_open.saturating_sub(1);
        if let Some(visitor) = door.by_ip.get_mut(&self.ip) {
            visitor.half_open = visitor.half_open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::at(Duration::from_millis(ms))
    }

    #[test]
    fn four_half_open_connections_from_one_address_and_others_still_get_in() {
        let keeper = Doorkeeper::default();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let passes: Vec<_> = (0..100).filter_map(|_| keeper.enter(at(0), one)).collect();
        assert_eq!(passes.len(), HALF_OPEN_PER_IP);
        assert!(keeper.enter(at(0), other).is_some());
        drop(passes);
        assert!(keeper.enter(at(10_000), one).is_some());
    }

    #[test]
    fn a_thousand_connections_from_one_address_take_nothing_from_the_others() {
        let keeper = Doorkeeper::default();
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let passes: Vec<_> = (0..1000).filter_map(|_| keeper.enter(at(0), one)).collect();
        assert_eq!(passes.len(), HALF_OPEN_PER_IP);
        assert!(keeper.enter(at(0), other).is_some());
    }

    #[test]
    fn an_address_that_connects_and_goes_away_again_and_again_is_slowed() {
        let (keeper, one) = (Doorkeeper::default(), IpAddr::from([192, 0, 2, 1]));
        let entered = (0..100).filter(|_| keeper.enter(at(0), one).is_some()).count();
        assert_eq!(entered, 16);
        let later = (0..100).filter(|_| keeper.enter(at(1000), one).is_some()).count();
        assert_eq!(later, 4);
    }

    #[test]
    fn the_machine_itself_is_only_held_to_the_limit_for_all() {
        let keeper = Doorkeeper::default();
        let passes: Vec<_> = (0..1000).filter_map(|_| keeper.enter(at(0), IpAddr::from([127, 0, 0, 1]))).collect();
        assert_eq!(passes.len(), HALF_OPEN);
    }
}
