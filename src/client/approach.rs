//! Which address to connect to next, and when.
//!
//! There may be several brokers of one order, each with an address of its own: when one is lost,
//! the next one's turn comes at once, and waits come only after all of them have failed.
//!
//! A host's name may have several addresses, of one family or of both, and not all of them need
//! lead to the broker: each is tried before any wait. What fails, fails ever more slowly, also
//! where TCP connects and what is above it does not: otherwise a wrong key is ten attempts a
//! second on both sides, without end.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::place::{Found, Place};
use crate::core::Time;
use crate::core::participant::Obstacle;
use crate::net::Address;

/// The wait after the first failure; each further one doubles it, up to `MOST`. To each, up to
/// half as much is added by chance, so that clients of a restarted broker do not come together.
const FIRST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(3);
/// A connection that has lasted so long was a good one: what comes after it is a first failure.
const STEADY: Duration = Duration::from_secs(5);
/// How long an address may take to accept, and to agree how to speak.
const PATIENCE: Duration = Duration::from_secs(5);
/// The same where others wait to be tried; more where all of them have failed in that time.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(1);

/// The way to the broker, or to one of several.
#[derive(Debug)]
pub(super) struct Approach {
    places: Vec<Place>,
    /// The place that is tried, or was last.
    index: usize,
    /// Places that have failed one after the other since the last wait.
    failures: usize,
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

impl Approach {
    /// The way to the first of these addresses that leads to a broker.
    pub(super) fn new(addresses: &[Address]) -> Self {
        Self {
            places: addresses.iter().cloned().map(Place::new).collect(),
            index: 0,
            failures: 0,
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
        let several = self.places.len() > 1;
        let patience_with_others = PATIENCE.min(PATIENCE_WITH_OTHERS.max(self.wait * 2));
        let Some(place) = self.places.get_mut(self.index) else {
            return Step::Wait;
        };
        match place.next(now) {
            Found::One(address, is_last) => {
                let is_only = is_last && !several;
                let patience = if is_only {
                    PATIENCE
                } else {
                    patience_with_others
                };
                Step::Connect(address, patience)
            }
            Found::Nothing(obstacle) => {
                self.failed(now);
                Step::Blocked(obstacle)
            }
            Found::Silent => {
                if several {
                    self.failed(now); // the answer may be there at its next turn
                }
                Step::Blocked(Obstacle::NamesSilent)
            }
            Found::Pending if several && place.is_told_silent() => {
                self.failed(now);
                Step::Wait
            }
            Found::Pending => Step::Wait,
        }
    }

    /// The addresses that are tried, as somebody reads them.
    pub(super) fn shown(&self) -> String {
        let shown = self.places.iter().map(|place| place.address.to_string());
        shown.collect::<Vec<_>>().join(" or ")
    }

    /// The connection is made.
    pub(super) fn up(&mut self, now: Time) {
        self.up = Some(now);
        if let Some(place) = self.places.get_mut(self.index) {
            place.was_good();
        }
    }

    /// The connection is gone, and so is what served us over it: where there are others, they
    /// are tried at once, however soon after the last loss. It cannot go round and round: what is
    /// gone accepts no connection, and that is a failure.
    pub(super) fn lost(&mut self, now: Time) {
        if self.places.len() > 1 {
            self.wait = FIRST;
            self.failures = 0;
        }
        self.failed(now);
    }

    /// There is no connection any more, or none could be made.
    pub(super) fn failed(&mut self, now: Time) {
        let was_up = self.up.take();
        if was_up.is_some_and(|up| now.since(up) >= STEADY) {
            self.wait = FIRST;
            self.failures = 0;
        }
        if let Some(place) = self.places.get_mut(self.index) {
            if was_up.is_some() {
                place.forget();
            }
            if place.has_more() {
                return; // the others are tried at once
            }
        }
        self.index = (self.index + 1) % self.places.len().max(1);
        self.failures += 1;
        if self.failures < self.places.len() {
            return;
        }
        self.failures = 0;
        self.at = now + self.wait + by_chance(self.wait / 2);
        self.wait = (self.wait * 2).min(MOST);
    }

    /// When to ask again, while there is no connection and none is being made.
    pub(super) fn deadline(&self) -> Time {
        let place = self.places.get(self.index);
        match place.and_then(Place::silent_at) {
            Some(Time(u64::MAX)) if self.places.len() > 1 => self.at, // the next one's turn
            Some(silent_at) => silent_at.max(self.at),
            None => self.at,
        }
    }

    /// Can be read when there is an answer to ask for.
    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.places.get(self.index)?.descriptor()
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
        several(&[text])
    }

    fn several(texts: &[&str]) -> Approach {
        let addresses: Vec<Address> = texts.iter().map(|text| text.parse().unwrap()).collect();
        Approach::new(&addresses)
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
        approach.places[0].sort(&found);
        let dead = ("tcp://127.0.0.9:1".to_owned(), PATIENCE_WITH_OTHERS);
        assert_eq!(tried(&mut approach), dead);
        approach.failed(AT_ONCE);
        let good = "tcp://[::1]:1".to_owned();
        assert_eq!(tried(&mut approach), (good.clone(), PATIENCE));
        approach.up(AT_ONCE);
        approach.places[0].sort(&found);
        assert_eq!(tried(&mut approach), (good, PATIENCE_WITH_OTHERS));
    }

    #[test]
    fn every_broker_is_tried_before_any_wait_and_a_lost_one_last() {
        let mut approach = several(&["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]);
        let tried = |approach: &mut Approach, now: Time| match approach.next(now) {
            Step::Connect(address, _) => address.to_string(),
            other => panic!("{other:?}"),
        };
        let place = |number: u32| format!("tcp://127.0.0.1:{number}");
        assert_eq!(tried(&mut approach, AT_ONCE), place(1));
        approach.failed(AT_ONCE);
        assert_eq!(tried(&mut approach, AT_ONCE), place(2));
        approach.up(AT_ONCE);
        let later = AT_ONCE + STEADY;
        // A broker that has served for long is lost: the others are there at once.
        for number in [2, 3, 1] {
            assert_eq!(tried(&mut approach, later), place(number));
            approach.failed(later);
        }
        assert_eq!(approach.next(later), Step::Wait);
        // Brokers that let us in and go down at once are no reason to hurry.
        let mut now = approach.deadline();
        for number in [2, 3, 1] {
            assert_eq!(tried(&mut approach, now), place(number));
            approach.up(now);
            approach.failed(now);
        }
        assert_eq!(approach.next(now), Step::Wait);
        assert!(approach.deadline().since(now) >= FIRST * 2);
        // Brokers that have served us and are killed one soon after the other are.
        for _ in 0..9 {
            now = now.max(approach.deadline());
            tried(&mut approach, now);
            approach.up(now);
            approach.lost(now);
            assert_eq!(approach.deadline().max(now), now);
        }
        // Where all fail, each gets more time.
        let mut most = Duration::ZERO;
        for _ in 0..40 {
            now = approach.deadline();
            if let Step::Connect(_, patience) = approach.next(now) {
                most = most.max(patience);
            }
            approach.failed(now);
        }
        assert_eq!(most, PATIENCE);
    }

    #[test]
    fn a_silent_name_service_keeps_nobody_from_the_next_broker() {
        let mut approach = several(&["no-such-name.invalid:1", "127.0.0.1:2"]);
        let mut now = AT_ONCE;
        let step = loop {
            match approach.next(now) {
                Step::Connect(address, _) => break address.to_string(),
                // However the name service answers, or does not.
                Step::Blocked(Obstacle::NamesSilent | Obstacle::UnknownHost) => {}
                Step::Wait => now = approach.deadline().max(now),
                other @ Step::Blocked(_) => panic!("{other:?}"),
            }
        };
        assert_eq!(step, "tcp://127.0.0.1:2");
    }

    #[test]
    fn a_name_that_leads_nowhere_is_called_that() {
        let mut approach = approach("no-such-name.invalid:1");
        let mut now = AT_ONCE;
        let obstacle = loop {
            match approach.next(now) {
                Step::Blocked(Obstacle::NamesSilent) if approach.descriptor().is_some() => {}
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
