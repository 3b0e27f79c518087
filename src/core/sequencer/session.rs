//! One member as this broker serves it: how far it is, what is on its way to it, and when to look
//! after it. What all brokers agree on of it is [`crate::core::order::Member`].
//!
//! ```text
//!            acknowledged          in flight              to come
//!  0 ───────────────────── floor ──────────── next ──────────────────── end
//!                                                 └ sent: highest `next` ever
//! ```
//! Loss is mended by going back (go-back-N): after [`Limits::resend_after`] without progress the
//! first unacknowledged frame is sent again, alone; from there the window opens by doubling, as
//! TCP's slow start does (RFC 5681). An ACK of what was not yet sent again shows that nothing was
//! lost and the peer is only slow: then sending goes on where it was.

use std::time::Duration;

use super::life::{Life, end_of_absence, to_come_back};
use super::send_queue::SendQueue;
use super::unannounced::Unannounced;
use super::{Index, Limits, Route};
use crate::core::order::{Member, Position, Runs};
use crate::core::{Mutant, Now, Time};
use crate::wire::raw::Splitter;
use crate::wire::{Dialect, Name, OrderNumber, PublicKey};

/// See the module. Invariant: `floor <= next <= sent`, unless nothing was ever in flight.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent")]
pub(super) struct Session {
    pub(super) name: Name,
    /// Whether it lives as long as its connection: nobody could come back to it.
    pub(super) transient: bool,
    pub(super) dialect: Dialect,
    /// Whether it puts an empty frame before its messages.
    pub(super) delimited: bool,
    /// Where to send to; `None` while away.
    pub(super) route: Option<Route>,
    /// Whether it wants deliveries: every member but a native one that only publishes.
    pub(super) receives: bool,
    /// It is delivered nothing before this is committed: its welcome comes first.
    pub(super) served_after: Index,
    /// What is said to it waits at least for this to be committed, so that it hears everything
    /// in turn.
    pub(super) hears_after: Index,
    /// The first number that is not acknowledged.
    pub(super) floor: OrderNumber,
    /// The next number to send.
    pub(super) next: OrderNumber,
    /// One past the highest number ever sent: an ACK beyond is refused.
    pub(super) sent: OrderNumber,
    /// What came before this number is no longer kept, and it has to be told so.
    pub(super) trimmed: Option<OrderNumber>,
    pub(super) queue: SendQueue,
    /// Where sending was when it went back.
    resume_at: Option<OrderNumber>,
    /// Frames that may be in flight after going back (slow start); without a bound otherwise.
    cwnd: u64,
    resend: Resend,
    /// Runs to confirm with the next sends.
    pub(super) confirms: Runs,
    /// When it last said something.
    pub(super) heard: Now,
    /// Whether it is there.
    pub(super) life: Life,
    /// Whether the other brokers were told that its connection is gone.
    pub(super) rises: bool,
    /// Its end was put off once, as the broker had been stopped.
    pub(super) is_put_off: bool,
    /// Cuts what a plain TCP peer sends into messages.
    pub(super) splitter: Splitter,
    /// Marks that keep it from standing twice in a list of the machine's.
    pub(super) marks: Marks,
    /// When it becomes a member, if it is none yet.
    pub(super) unannounced: Option<Unannounced>,
    /// The key that it has proved to have, where the order does not know.
    pub(super) key: Option<PublicKey>,
    /// Its place among the sessions with a route.
    pub(super) bound_at: usize,
}

/// In which of the machine's lists a session stands.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each list")]
pub(super) struct Marks {
    pub(super) to_serve: bool,
    pub(super) to_save: bool,
    pub(super) to_show: bool,
    pub(super) to_confirm: bool,
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
    /// The session of a member that has just joined, or that the log knows.
    pub(super) fn new(member: &Member, now: Now) -> Self {
        let mut session = Self::local(member.name().clone(), *member.position(), now);
        session.transient = member.is_transient();
        session
    }

    /// A session that the order does not know, which ends with its connection.
    pub(super) fn local(name: Name, position: Position, now: Now) -> Self {
        let Position {
            dialect,
            delimited,
            floor,
            heard,
            away,
        } = position;
        Self {
            name,
            transient: true,
            dialect,
            delimited,
            route: None,
            receives: true,
            served_after: Index::default(),
            hears_after: Index::default(),
            floor,
            next: floor,
            sent: floor,
            trimmed: None,
            queue: SendQueue::default(),
            resume_at: None,
            cwnd: u64::MAX,
            resend: Resend::Idle,
            confirms: Runs::default(),
            heard: Now {
                time: now.time,
                wall: if away { now.wall } else { heard },
            },
            life: Life::Here,
            rises: false,
            is_put_off: false,
            splitter: Splitter::default(),
            marks: Marks::default(),
            unannounced: None,
            key: None,
            bound_at: 0,
        }
    }

    /// The session of a member that the log knows. Anything before `end` may have been sent to
    /// it. How long no broker ran does not count: it could not have come back meanwhile.
    pub(super) fn recover(member: &Member, end: OrderNumber, now: Now, limits: &Limits) -> Self {
        let mut session = Self::new(member, now);
        session.sent = end.max(session.floor);
        let position = member.position();
        let known = if position.away { position.heard } else { 0 };
        let (since, timeout) = (now.time, session.timeout(limits));
        let before = to_come_back(Duration::from_micros(known), timeout);
        // A native peer has to say hello again.
        session.life = match session.dialect {
            Dialect::Native => Life::Away { since, before },
            _ => Life::Unseen {
                since,
                before,
                tried: None,
            },
        };
        session
    }

    /// After how long away it ends; `None`: never. No program comes back under a name that was
    /// drawn for one run.
    pub(super) fn timeout(&self, limits: &Limits) -> Option<Duration> {
        let drawn = self.is_drawn().then_some(limits.drawn_name_timeout);
        drawn.into_iter().chain(limits.session_timeout).min()
    }

    /// Whether its name was drawn for one run.
    pub(super) fn is_drawn(&self) -> bool {
        self.dialect == Dialect::Native && self.name.is_drawn()
    }

    /// What the log is to be told of it.
    pub(super) fn position(&self, now: Now) -> Position {
        let absence = self.life.absence();
        let away = absence.map(|(since, before)| now.time.since(since) + before);
        let away_us = away.map(|away| u64::try_from(away.as_micros()).unwrap_or(u64::MAX));
        Position {
            dialect: self.dialect,
            delimited: self.delimited,
            floor: self.floor,
            heard: away_us.unwrap_or(self.heard.wall),
            away: away.is_some(),
        }
    }

    /// Whether the peer is there, as far as is known.
    pub(super) fn is_present(&self) -> bool {
        self.life.is_present()
    }

    /// Whether anything may be delivered to it, sooner or later.
    pub(super) fn is_served(&self) -> bool {
        self.receives && self.route.is_some()
    }

    /// How many frames may be sent now; 0 if the window is full.
    pub(super) fn frames_allowed(&self, limits: &Limits) -> u64 {
        if matches!(self.resend, Resend::Armed { held: true, .. }) || !self.queue.has_room(limits) {
            return 0;
        }
        let window = match self.dialect {
            // It takes whatever one `recv` gives as one message: one at a time.
            Dialect::Raw => 1,
            _ => limits.window_frames.min(self.cwnd),
        };
        let used = match self.dialect {
            Dialect::Native => self.queue.fresh(),
            _ => self.next.since(self.floor),
        };
        window.saturating_sub(used)
    }

    /// Notes that messages up to `end` (without it) are handed over, in so many frames.
    pub(super) fn launched(
        &mut self,
        end: OrderNumber,
        frames: u64,
        bytes: usize,
        now: Now,
        limits: &Limits,
    ) {
        self.life.try_out(now.time);
        self.next = end;
        self.sent = self.sent.max(end);
        self.queue.hand_over(end, frames, bytes, now.time);
        if self.resume_at.is_some_and(|at| at <= end) {
            self.resume_at = None;
            self.queue.give_up();
        }
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
        if self.trimmed.is_some_and(|oldest| oldest < floor) {
            self.trimmed = None;
        }
        if floor > self.next {
            self.go_on();
        }
        let route = self.route.as_ref();
        let is_one_connection = route.is_none_or(Route::is_generated);
        self.queue.acknowledge(floor, is_one_connection);
        self.next = self.next.max(floor);
        self.cwnd = self.cwnd.saturating_mul(2);
        if self.next == self.floor {
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
        self.resume_at = None;
        self.queue.give_up();
        self.cwnd = u64::MAX;
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
        self.queue.expire(now.time, limits);
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

    /// The timer for sending again runs although nothing more may be sent: the queue of its
    /// connection is full of what an earlier session was sent, or sending went back too often.
    pub(super) fn await_room(&mut self, now: Now, limits: &Limits) {
        if self.resend == Resend::Idle {
            self.arm(now, limits);
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
        if self.queue.is_fresh() {
            // After going back twice, what lies behind the first place are copies.
            self.resume_at.get_or_insert(self.next);
        }
        self.queue.go_back();
        self.next = self.floor;
        self.cwnd = 1;
    }

    /// Nothing was lost: takes up sending where it was before going back.
    fn go_on(&mut self) {
        if let Some(at) = self.resume_at.take() {
            self.queue.go_on();
            self.next = at;
        }
        self.cwnd = u64::MAX;
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
            life => life.absence().zip(self.timeout(limits)).map(end_of_absence),
        };
        let announced = self.unannounced.map(|unannounced| unannounced.until);
        resend.into_iter().chain(silence).chain(announced).min()
    }
}
