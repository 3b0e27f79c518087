//! Which address to connect to next, and when.
//!
//! A host's name may have several addresses, of one family or of both, and not all of them need
//! lead to the broker: each is tried before any wait. What fails, fails ever more slowly, also
//! where TCP connects and what is above it does not: otherwise a wrong key is ten attempts a
//! second on both sides, without end.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::BorrowedFd;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use crate::core::Time;
use crate::core::participant::Obstacle;
use crate::net::Address;
use crate::net::waker::{Sleeper, waker};

/// The wait after the first failure; each further one doubles it, up to `MOST`. To each, up to
/// half as much is added by chance, so that clients of a restarted broker do not come together.
const FIRST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(3);
/// A connection that has lasted so long was a good one: what comes after it is a first failure.
const STEADY: Duration = Duration::from_secs(5);
/// How long an address may take to accept, and to agree how to speak.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where others wait to be tried.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(1);
/// How long the name service may take before that is said.
const SILENT: Duration = Duration::from_secs(1);

/// The way to the broker.
#[derive(Debug)]
pub(super) struct Approach {
    address: Address,
    /// Addresses that the name has, from the one to be tried next on.
    found: Vec<Address>,
    lookup: Option<Lookup>,
    /// The address that led to a broker last: it is tried first.
    good: Option<Address>,
    current: Option<Address>,
    /// Nothing is tried before.
    at: Time,
    wait: Duration,
    /// When the connection was made that there is or was last.
    up: Option<Time>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Connect here, and give up after so long.
    Connect(Address, Duration),
    /// Nothing can be tried, for this reason.
    Blocked(Obstacle),
    /// Nothing yet.
    Wait,
}

/// A question to the name service, which may take its time: a thread waits for the answer, and
/// is left behind if its owner goes.
#[derive(Debug)]
struct Lookup {
    answer: Receiver<io::Result<Vec<SocketAddr>>>,
    sleeper: Sleeper,
    silent_at: Time,
    is_told: bool,
}

impl Approach {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            found: Vec::new(),
            lookup: None,
            good: None,
            current: None,
            at: Time::default(),
            wait: FIRST,
            up: None,
        }
    }

    /// What to do, while there is no connection and none is being made.
    pub(super) fn next(&mut self, now: Time) -> Step {
        if now < self.at {
            return Step::Wait;
        }
        let Some((host, port)) = self.address.to_resolve() else {
            return Step::Connect(self.address.clone(), PATIENCE);
        };
        if self.found.is_empty() {
            let lookup = match self.lookup.take() {
                Some(lookup) => Ok(lookup),
                None => Lookup::start(now, host, port),
            };
            match lookup.and_then(Lookup::look) {
                Ok(Looked::Found(found)) => self.sort(&found),
                Ok(Looked::Pending(lookup)) => return self.wait_for(now, lookup),
                Err(error) => {
                    self.failed(now);
                    return Step::Blocked(obstacle(&error));
                }
            }
        }
        match self.found.len() {
            0 => {
                self.failed(now);
                Step::Blocked(Obstacle::UnknownHost)
            }
            1 => Step::Connect(self.take_first(), PATIENCE),
            _ => Step::Connect(self.take_first(), PATIENCE_WITH_OTHERS),
        }
    }

    /// The connection is made.
    pub(super) fn up(&mut self, now: Time) {
        self.up = Some(now);
        self.good.clone_from(&self.current);
    }

    /// There is no connection any more, or none could be made.
    pub(super) fn failed(&mut self, now: Time) {
        if let Some(up) = self.up.take() {
            self.found.clear();
            if now.since(up) >= STEADY {
                self.wait = FIRST;
            }
        }
        if !self.found.is_empty() {
            return; // the others are tried at once
        }
        self.at = now + self.wait + by_chance(self.wait / 2);
        self.wait = (self.wait * 2).min(MOST);
    }

    /// When to ask again, while there is no connection and none is being made.
    pub(super) fn deadline(&self) -> Time {
        match &self.lookup {
            Some(lookup) if lookup.is_told => Time(u64::MAX),
            Some(lookup) => lookup.silent_at,
            None => self.at,
        }
    }

    /// Can be read when there is an answer to ask for.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        let lookup = self.lookup.as_ref()?;
        Some(lookup.sleeper.descriptor())
    }

    fn sort(&mut self, found: &[SocketAddr]) {
        let parsed = found.iter().filter_map(|one| one.to_string().parse().ok());
        self.found = parsed.collect();
        // Stable: otherwise they stay as the system prefers them.
        self.found
            .sort_by_key(|one| Some(one) != self.good.as_ref());
    }

    fn take_first(&mut self) -> Address {
        let first = self.found.remove(0);
        self.current = Some(first.clone());
        first
    }

    fn wait_for(&mut self, now: Time, mut lookup: Lookup) -> Step {
        let is_silent = now >= lookup.silent_at && !lookup.is_told;
        lookup.is_told |= is_silent;
        self.lookup = Some(lookup);
        if is_silent {
            Step::Blocked(Obstacle::NamesSilent)
        } else {
            Step::Wait
        }
    }
}

enum Looked {
    Pending(Lookup),
    Found(Vec<SocketAddr>),
}

impl Lookup {
    fn start(now: Time, host: &str, port: u16) -> io::Result<Self> {
        let (waker, sleeper) = waker()?;
        // The owner sleeps until there is an answer, or is not there to be woken.
        sleeper.about_to_sleep();
        let (answered, answer) = bounded(1);
        let host = host.to_owned();
        let ask = move || {
            let found = (host.as_str(), port).to_socket_addrs();
            answered.send(found.map(Iterator::collect)).ok();
            waker.wake();
        };
        Builder::new().name("resolver".into()).spawn(ask)?;
        Ok(Self {
            answer,
            sleeper,
            silent_at: now + SILENT,
            is_told: false,
        })
    }

    fn look(self) -> io::Result<Looked> {
        match self.answer.try_recv() {
            Ok(found) => found.map(Looked::Found),
            Err(TryRecvError::Empty) => Ok(Looked::Pending(self)),
            Err(TryRecvError::Disconnected) => Err(io::Error::other("the resolver has panicked")),
        }
    }
}

/// The resolver's errors have no kinds of their own, only the system's words: of glibc, then musl.
fn obstacle(error: &io::Error) -> Obstacle {
    let text = error.to_string();
    let passes = ["Temporary failure", "Try again"];
    if passes.iter().any(|words| text.contains(words)) {
        Obstacle::NamesSilent
    } else {
        Obstacle::UnknownHost
    }
}

/// Up to so long. Without randomness there is no chance, and none is needed.
fn by_chance(most: Duration) -> Duration {
    let draw = getrandom::u32().unwrap_or_default();
    most.mul_f64(f64::from(draw) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Time = Time(0);

    fn approach(text: &str) -> Approach {
        Approach::new(text.parse().unwrap())
    }

    #[test]
    fn waits_grow_and_a_steady_connection_begins_anew() {
        let mut approach = approach("127.0.0.1:1");
        let mut now = AT_ONCE;
        let mut waits = Vec::new();
        for _ in 0..8 {
            assert!(matches!(approach.next(now), Step::Connect(..)));
            approach.failed(now);
            assert_eq!(approach.next(now), Step::Wait);
            waits.push(approach.deadline().since(now));
            now = approach.deadline();
        }
        for (wait, least) in waits
            .iter()
            .zip([100, 200, 400, 800, 1600, 3000, 3000, 3000])
        {
            let least = Duration::from_millis(least);
            assert!((least..=least * 3 / 2).contains(wait), "{waits:?}");
        }
        // One that was gone at once is a failure like any other.
        approach.up(now);
        approach.failed(now + STEADY / 2);
        assert!(approach.deadline().since(now + STEADY / 2) >= MOST);
        now = approach.deadline();
        approach.up(now);
        approach.failed(now + STEADY);
        assert!(approach.deadline().since(now + STEADY) <= FIRST * 3 / 2);
    }

    #[test]
    fn every_address_is_tried_before_any_wait_and_the_good_one_first() {
        let mut approach = approach("two.example:1");
        let found = ["127.0.0.9:1", "[::1]:1"].map(|one| one.parse().unwrap());
        let tried = |approach: &mut Approach| match approach.next(AT_ONCE) {
            Step::Connect(address, patience) => (address.to_string(), patience),
            other => panic!("{other:?}"),
        };
        approach.sort(&found);
        let dead = ("tcp://127.0.0.9:1".to_owned(), PATIENCE_WITH_OTHERS);
        assert_eq!(tried(&mut approach), dead);
        approach.failed(AT_ONCE);
        let good = "tcp://[::1]:1".to_owned();
        assert_eq!(tried(&mut approach), (good.clone(), PATIENCE));
        approach.up(AT_ONCE);
        approach.sort(&found);
        assert_eq!(tried(&mut approach), (good, PATIENCE_WITH_OTHERS));
    }

    #[test]
    fn a_name_that_leads_nowhere_is_called_that() {
        let mut approach = approach("no-such-name.invalid:1");
        let mut now = AT_ONCE;
        let obstacle = loop {
            match approach.next(now) {
                Step::Blocked(Obstacle::NamesSilent) if approach.lookup.is_some() => {}
                Step::Blocked(obstacle) => break obstacle,
                Step::Wait => now = now + Duration::from_micros(1),
                Step::Connect(..) => panic!("there is such a name"),
            }
            std::thread::yield_now();
        };
        // Without a name service, that is the reason.
        assert!([Obstacle::UnknownHost, Obstacle::NamesSilent].contains(&obstacle));
        assert_eq!(approach.next(now), Step::Wait);
    }
}
