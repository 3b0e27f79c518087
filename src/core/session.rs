//! One member: how far it is, what is on its way to it, and when to look after it.
//!
//! ```text
//!            acknowledged          in flight              to come
//!  0 ───────────────────── floor ──────────── next ──────────────────── end
//!                                                 └ sent: highest `next` ever
//! ```
//! Loss is mended by going back (go-back-N): after [`Limits::resend_after`] without progress the
//! first unacknowledged frame is sent again, alone; from there the window opens by doubling, as
//! TCP's slow start does. An ACK of what was not yet sent again shows that nothing was lost and
//! the peer is only slow: then sending goes on where it was.

use std::collections::VecDeque;
use std::time::Duration;

use super::publisher::Publisher;
use super::{Limits, Mutant, Now, Route, Time};
use crate::wire::raw::Splitter;
use crate::wire::sessions::{SequenceRun, SessionEntry};
use crate::wire::{Dialect, Name, OrderNumber, PublicKey};

/// A member. Invariant: `floor <= next <= sent`, unless nothing was ever in flight.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) name: Name,
    pub(super) dialect: Dialect,
    /// Whether it puts an empty frame before its messages.
    pub(super) delimited: bool,
    /// Where to send to; `None` while away.
    pub(super) route: Option<Route>,
    /// Whether it wants deliveries: every member but a native one that only publishes.
    pub(super) receives: bool,
    /// Whether it lives as long as its connection: nobody could come back to it.
    pub(super) transient: bool,
    /// The first number that is not acknowledged.
    pub(super) floor: OrderNumber,
    /// The next number to send.
    pub(super) next: OrderNumber,
    /// One past the highest number ever sent: an ACK beyond is refused.
    pub(super) sent: OrderNumber,
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    /// What was in flight when sending went back, and perhaps still is.
    suspect: VecDeque<InFlight>,
    /// Frames that may be in flight after going back; without a bound otherwise.
    allowance: u64,
    resend: Resend,
    pub(super) publisher: Publisher,
    /// Runs to confirm with the next sends.
    pub(super) confirms: Vec<SequenceRun>,
    /// The key that it was last spoken for with; `None` without keys.
    pub(super) key: Option<PublicKey>,
    /// When it last said something.
    pub(super) heard: Now,
    /// Whether it is there.
    pub(super) life: Life,
    /// Cuts what a plain TCP peer sends into messages.
    pub(super) splitter: Splitter,
    /// Marks that keep it from standing twice in a list of the machine's.
    pub(super) marks: Marks,
}

/// Whether a member is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It has spoken, and nothing speaks against it.
    Here,
    /// It was asked whether it is there, and has not answered.
    Asked,
    /// Nobody is there, as far as is known. A peer of a fixed dialect may reappear under its
    /// routing id without a word, so its route is kept and tried again.
    Away {
        /// When that became known.
        since: Time,
    },
    /// It has gone for good, and the log has no room to say so yet.
    Leaving,
}

/// In which of the machine's lists a session stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) to_serve: bool,
    pub(super) to_save: bool,
    pub(super) to_show: bool,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    end: OrderNumber,
    bytes: usize,
}

/// When to send the first unacknowledged frame again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resend {
    /// Nothing is in flight.
    Idle,
    /// At `at`; each fruitless time doubles `after`. When `held`, nothing is sent until then.
    Armed {
        at: Time,
        after: Duration,
        held: bool,
    },
}

impl Session {
    /// A member whose deliveries begin with `start`.
    pub(super) fn new(name: Name, dialect: Dialect, start: OrderNumber, now: Now) -> Self {
        Self {
            name,
            dialect,
            delimited: false,
            route: None,
            receives: true,
            transient: false,
            floor: start,
            next: start,
            sent: start,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            suspect: VecDeque::new(),
            allowance: u64::MAX,
            resend: Resend::Idle,
            publisher: Publisher::default(),
            confirms: Vec::new(),
            key: None,
            heard: now,
            life: Life::Here,
            splitter: Splitter::default(),
            marks: Marks::default(),
        }
    }

    /// A member as the log knows it. Anything before `end` may have been sent to it.
    pub(super) fn recover(
        entry: &SessionEntry,
        end: OrderNumber,
        now: Now,
        limits: &Limits,
    ) -> Self {
        let heard = Now {
            time: now.time,
            wall: entry.heard,
        };
        let mut session = Self::new(entry.name.clone(), entry.dialect, entry.floor, heard);
        session.delimited = entry.delimited;
        session.sent = end.max(entry.floor);
        // A native peer has to say hello again. One of a fixed dialect may be connected already,
        // and has nothing to say. How long the broker was down does not count: the wall's clock
        // may have been set.
        if session.dialect == Dialect::Native {
            session.life = Life::Away { since: now.time };
        }
        session.publisher = Publisher::recover(entry, limits.publish_window);
        session
    }

    /// What the log keeps of it; `whole` with what is remembered of its publishing, which
    /// otherwise follows from its messages.
    pub(super) fn entry(&self, whole: bool) -> SessionEntry {
        let (runs, digests) = if whole {
            self.publisher.remembered()
        } else {
            Default::default()
        };
        SessionEntry {
            name: self.name.clone(),
            member: true,
            dialect: self.dialect,
            delimited: self.delimited,
            floor: self.floor,
            heard: self.heard.wall,
            last_sequence: self.publisher.last(),
            runs,
            digests,
        }
    }

    /// Whether somebody is there, as far as is known.
    pub(super) fn is_present(&self) -> bool {
        matches!(self.life, Life::Here | Life::Asked)
    }

    /// Whether anything may be sent to it.
    pub(super) fn is_served(&self) -> bool {
        self.receives && self.route.is_some()
    }

    /// How many frames may be sent now; 0 if the window is full.
    pub(super) fn frames_allowed(&self, limits: &Limits) -> u64 {
        if matches!(self.resend, Resend::Armed { held: true, .. }) {
            return 0;
        }
        let window = match self.dialect {
            // It takes whatever one `recv` gives as one message: one at a time.
            Dialect::Raw => 1,
            _ => limits.window_frames.min(self.allowance),
        };
        let used = match self.dialect {
            Dialect::Native => self.in_flight.len() as u64,
            _ => self.next.since(self.floor),
        };
        let bytes_left = self.in_flight_bytes < limits.window_bytes;
        if bytes_left || self.in_flight.is_empty() {
            window.saturating_sub(used)
        } else {
            0
        }
    }

    /// Bytes that may still be in flight.
    pub(super) fn bytes_allowed(&self, limits: &Limits) -> usize {
        limits.window_bytes.saturating_sub(self.in_flight_bytes)
    }

    /// Notes that everything up to `end` (without it) has been handed over.
    pub(super) fn launched(&mut self, end: OrderNumber, bytes: usize, now: Now, limits: &Limits) {
        self.next = end;
        self.sent = self.sent.max(end);
        self.in_flight.push_back(InFlight { end, bytes });
        self.in_flight_bytes += bytes;
        if self.resend == Resend::Idle {
            self.arm(now, limits);
        }
    }

    /// Takes an ACK of everything before `floor`; says whether that was news.
    pub(super) fn acknowledge(&mut self, floor: OrderNumber, now: Now, limits: &Limits) -> bool {
        assert!(
            floor <= self.sent,
            "an ACK beyond what was sent is refused before"
        );
        if floor <= self.floor {
            return false;
        }
        self.floor = floor;
        drop_before(&mut self.suspect, floor);
        if floor > self.next {
            self.go_on();
        }
        self.next = self.next.max(floor);
        self.in_flight_bytes -= drop_before(&mut self.in_flight, floor);
        self.allowance = self.allowance.saturating_mul(2);
        if self.in_flight.is_empty() {
            self.resend = Resend::Idle;
        } else {
            self.arm(now, limits);
        }
        true
    }

    /// Begins again at `floor`: what is in flight is taken for lost.
    pub(super) fn rewind(&mut self, floor: OrderNumber) {
        self.go_back();
        self.floor = floor;
        self.next = floor;
        self.sent = self.sent.max(floor);
        self.suspect.clear();
        self.allowance = u64::MAX;
        self.resend = Resend::Idle;
    }

    /// Goes back to the first unacknowledged frame if it is time to; says whether it was.
    pub(super) fn go_back_if_due(&mut self, now: Now, limits: &Limits) -> bool {
        let Resend::Armed { at, after, .. } = self.resend else {
            return false;
        };
        if at > now.time {
            return false;
        }
        if Mutant::NeverSendAgain.lives() {
            self.arm(now, limits);
            return false;
        }
        self.go_back();
        let after = (after * 2).min(limits.resend_after_most);
        self.resend = Resend::Armed {
            at: now.time + after,
            after,
            held: false,
        };
        true
    }

    /// Sends nothing until it is time to send again: the socket did not take a frame.
    pub(super) fn hold(&mut self, now: Now, limits: &Limits) {
        self.go_back();
        if self.resend == Resend::Idle {
            self.arm(now, limits);
        }
        if let Resend::Armed { held, .. } = &mut self.resend {
            *held = true;
        }
    }

    fn arm(&mut self, now: Now, limits: &Limits) {
        let after = limits.resend_after;
        self.resend = Resend::Armed {
            at: now.time + after,
            after,
            held: false,
        };
    }

    fn go_back(&mut self) {
        // After going back twice, the newer frames in flight are copies of the suspects.
        if self.suspect.is_empty() {
            self.suspect = std::mem::take(&mut self.in_flight);
        }
        self.in_flight.clear();
        self.in_flight_bytes = 0;
        self.next = self.floor;
        self.allowance = 1;
    }

    /// Nothing was lost: takes up sending where it was before going back.
    fn go_on(&mut self) {
        self.in_flight = std::mem::take(&mut self.suspect);
        self.in_flight_bytes = self.in_flight.iter().map(|sent| sent.bytes).sum();
        self.next = self.in_flight.back().map_or(self.next, |sent| sent.end);
        self.allowance = u64::MAX;
    }

    /// When something about it is to be looked at.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Time> {
        let resend = match self.resend {
            Resend::Armed { at, .. } if self.is_served() => Some(at),
            _ => None,
        };
        let native = self.dialect == Dialect::Native;
        let silence = match self.life {
            Life::Here if native => Some(self.heard.time + limits.ping_after),
            Life::Asked if native => Some(self.heard.time + limits.away_after),
            Life::Here | Life::Asked | Life::Leaving => None,
            Life::Away { since } => limits.session_timeout.map(|after| since + after),
        };
        resend.into_iter().chain(silence).min()
    }
}

/// Takes out what ends before `floor` or with it; returns its bytes.
fn drop_before(frames: &mut VecDeque<InFlight>, floor: OrderNumber) -> usize {
    let mut bytes = 0;
    while let Some(first) = frames.front()
        && first.end <= floor
    {
        bytes += first.bytes;
        frames.pop_front();
    }
    bytes
}
