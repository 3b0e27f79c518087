//! The one place where commands are applied, and what follows from them for this broker's
//! connections.
//!
//! A broker that is alone applies a command where it is decided. What follows is worked out from
//! the outcome only, as it would be if others had to apply the command first.

use super::commits::About;
use super::draining::GOES_DOWN;
use super::sitting::Sitting;
use super::{Event, Route, Sequencer};
use crate::core::order::{Command, Member, MemberId, Order, Outcome, Rejection, Runs, Seat};
use crate::core::{Now, Time};
use crate::wire::reply::Welcome;
use crate::wire::{Dialect, Name};

impl Sequencer {
    /// Applies a command, and does what follows from it.
    pub(super) fn decide(&mut self, now: Now, command: Command<'_>) {
        if self.among.is_some() {
            // Others have to apply it, too: it comes back in a record.
            return self.propose(now, command);
        }
        let outcome = self.order.apply(now.wall, command);
        self.follow(now, outcome);
    }

    pub(super) fn follow(&mut self, now: Now, outcome: Outcome) {
        match outcome {
            Outcome::Seated {
                seat,
                member,
                is_new,
            } => {
                if is_new {
                    self.begin_session(now, member);
                }
                match self.take_sitting(seat) {
                    Some(sitting) => self.seated(now, member, is_new, sitting),
                    None => self.seated_elsewhere(now, member, seat),
                }
            }
            Outcome::Unseated { seat, why } => {
                if let Some(sitting) = self.take_sitting(seat) {
                    self.unseated(now, sitting, why);
                }
            }
            Outcome::Published {
                member,
                runs,
                ordered,
                repeated,
                stopped,
            } => {
                self.counters.ordered += ordered;
                self.counters.repeated += repeated;
                self.owe_confirmations(member, runs);
                if let Some(why) = stopped {
                    // What comes before it in the frame is ordered, and its sender hears so first.
                    self.confirm(member);
                    self.refuse_member(member, why);
                }
            }
            Outcome::Said { result: Ok(_), .. } => self.counters.ordered += 1,
            Outcome::Said {
                member,
                result: Err(why),
            } => self.refuse_member(member, why),
            Outcome::Left {
                member,
                name,
                by_operator,
            } => {
                if by_operator {
                    self.ended(now, member);
                }
                self.left(now.time, member, name);
            }
            Outcome::Kicked { member } => self.kicked(now, member),
            Outcome::Away(member) => self.away(now, member),
            Outcome::Moved(positions) => self.moved(&positions),
            Outcome::Opened { broker, writer } => self.opened(now, &broker, writer),
            Outcome::BrokerGone { writer, .. } => self.broker_gone(now, writer),
            Outcome::Diverged {
                position,
                theirs,
                ours,
            } => self.diverged(now, position, theirs, ours),
            Outcome::SnapshotPart { of, writer, digest } => {
                self.compare_states(now, of, writer, digest);
            }
            Outcome::Noted | Outcome::Stale => {}
        }
    }

    /// A seat for a connection that asks for a name.
    pub(super) fn next_seat(&mut self) -> Seat {
        self.last_seat = self.last_seat.wrapping_add(1);
        Seat {
            writer: self.writer(),
            number: self.last_seat,
        }
    }

    fn take_sitting(&mut self, seat: Seat) -> Option<Sitting> {
        let place = self
            .sitting
            .iter()
            .position(|sitting| sitting.seat == seat)?;
        Some(self.sitting.swap_remove(place))
    }

    /// A peer has its name: its session is bound to its connection.
    fn seated(&mut self, now: Now, id: MemberId, is_new: bool, sitting: Sitting) {
        let (route, dialect) = (sitting.route.clone(), sitting.dialect);
        let start = sitting.start;
        let local = self.unannounced(&route);
        let is_regressed = !self.take_over(now, id, start);
        if let Some(denial) = self.denies_seat(&sitting) {
            self.forget_held(&sitting);
            self.deny_seat(now, &sitting, &denial);
            return self.tell_away(now, id);
        }
        if is_regressed {
            return self.refuse_regressed(now, id, &sitting);
        }
        if let Some(local) = local {
            self.become_member(local, id);
        } else if !is_new {
            self.come_back(id, start, &route, dialect);
            self.mark_to_save(now, id);
        }
        let delimited = route.delimited;
        self.attach(now, id, route.clone());
        let receives = sitting.receives && self.may_receive(&sitting);
        let session = self.sessions.get_mut(id);
        session.receives = receives;
        if dialect != Dialect::Native {
            return self.hear_held(now, sitting);
        }
        session.dialect = Dialect::Native;
        session.delimited = delimited;
        session.heard = now;
        session.served_after = self.commits.latest(self.order.has_pending());
        self.welcome(id, !is_new, &route);
        if self.is_draining() {
            self.tell_closing(id, GOES_DOWN);
        }
        self.hear_held(now, sitting);
    }

    /// Tells a peer who it is, once all that the welcome says is committed.
    pub(super) fn welcome(&mut self, id: MemberId, resumed: bool, route: &Route) {
        let member = self.order.member(id);
        let welcome = Welcome {
            resumed,
            epoch: self.order.epoch(),
            log_id: self.order.log_id(),
            begin: self.sessions.get(id).next,
            end: self.order.next(),
            last_sequence: member.map(Member::last_sequence).unwrap_or_default(),
            publish_window: self.limits.publish_window,
            largest_message: u32::try_from(self.limits.message_bytes).unwrap_or(u32::MAX),
        };
        self.answer(route, welcome.encode(), About::Welcome(id));
    }

    fn left(&mut self, now: Time, id: MemberId, name: Name) {
        self.answer_farewell(id);
        self.close_plain(id);
        if let Some(session) = self.sessions.find_mut(id)
            && !std::mem::replace(&mut session.marks.to_show, true)
        {
            self.marked.to_show.push(id);
        }
        self.sessions.remove(now, id);
        self.events.push(Event::Left(name));
        self.counters.left += 1;
    }

    /// Notes what is to be confirmed to a member.
    fn owe_confirmations(&mut self, id: MemberId, runs: Runs) {
        let Some(session) = self.sessions.find_mut(id) else {
            return;
        };
        if runs.is_empty() {
            return;
        }
        session.confirms.append(runs);
        if !std::mem::replace(&mut session.marks.to_confirm, true) {
            self.marked.to_confirm.push(id);
        }
    }

    fn refuse_member(&mut self, id: MemberId, why: Rejection) {
        let Some(session) = self.sessions.find(id) else {
            return;
        };
        if let Some(route) = session.route.clone() {
            let dialect = session.dialect;
            self.refuse(&route, dialect, why);
        }
    }

    /// Whether there is room in the log to say that a name has joined or left.
    pub(super) fn has_room_for_notice(&self, name: &Name) -> bool {
        self.fits(Order::cost_of_notice(name))
    }
}
