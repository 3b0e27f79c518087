//! Where one broker is: an address, or a name that may have several.

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

/// How long the name service may take before that is said.
const SILENT: Duration = Duration::from_secs(1);

/// Where one broker is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) address: Address,
    /// Addresses that the name has, from the one to be tried next on.
    found: Vec<Address>,
    lookup: Option<Lookup>,
    /// The address that led to a broker last: it is tried first.
    good: Option<Address>,
    current: Option<Address>,
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

/// What a place has to offer.
pub(super) enum Found {
    /// This address, and whether it is the last one of the place.
    One(Address, bool),
    /// The name leads nowhere.
    Nothing(Obstacle),
    /// The name service has been silent for so long that it should be said.
    Silent,
    /// The name service has not answered yet.
    Pending,
}

impl Place {
    pub(super) fn new(address: Address) -> Self {
        Self {
            address,
            found: Vec::new(),
            lookup: None,
            good: None,
            current: None,
        }
    }

    pub(super) fn next(&mut self, now: Time) -> Found {
        let Some((host, port)) = self.address.to_resolve() else {
            return Found::One(self.address.clone(), true);
        };
        if self.found.is_empty() {
            let lookup = match self.lookup.take() {
                Some(lookup) => Ok(lookup),
                None => Lookup::start(now, host, port),
            };
            match lookup.and_then(Lookup::look) {
                Ok(Looked::Found(found)) => self.sort(&found),
                Ok(Looked::Pending(lookup)) => return self.wait_for(now, lookup),
                Err(error) => return Found::Nothing(obstacle(&error)),
            }
        }
        if self.found.is_empty() {
            return Found::Nothing(Obstacle::UnknownHost);
        }
        let first = self.found.remove(0);
        self.current = Some(first.clone());
        Found::One(first, self.found.is_empty())
    }

    /// The address that was offered last leads to a broker.
    pub(super) fn was_good(&mut self) {
        self.good.clone_from(&self.current);
    }

    /// The name may lead elsewhere by now.
    pub(super) fn forget(&mut self) {
        self.found.clear();
    }

    /// Whether there are addresses that were not offered.
    pub(super) fn has_more(&self) -> bool {
        !self.found.is_empty()
    }

    /// When the silence of the name service has to be said, if it is waited for; never again once
    /// it was.
    pub(super) fn silent_at(&self) -> Option<Time> {
        let lookup = self.lookup.as_ref()?;
        let never = Time(u64::MAX);
        Some(if lookup.is_told {
            never
        } else {
            lookup.silent_at
        })
    }

    /// Can be read when the name service has answered.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.lookup.as_ref()?.sleeper.descriptor())
    }

    pub(super) fn is_told_silent(&self) -> bool {
        self.lookup.as_ref().is_some_and(|lookup| lookup.is_told)
    }

    pub(super) fn sort(&mut self, found: &[SocketAddr]) {
        let parsed = found.iter().filter_map(|one| one.to_string().parse().ok());
        self.found = parsed.collect();
        // Stable: otherwise they stay as the system prefers them.
        self.found
            .sort_by_key(|one| Some(one) != self.good.as_ref());
    }

    fn wait_for(&mut self, now: Time, mut lookup: Lookup) -> Found {
        let is_silent = now >= lookup.silent_at && !lookup.is_told;
        lookup.is_told |= is_silent;
        self.lookup = Some(lookup);
        if is_silent {
            Found::Silent
        } else {
            Found::Pending
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
