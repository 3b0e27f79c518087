//! Messages: what is judged of them before they are ordered.

use super::commits::About;
use super::membership::DISK_FULL;
use super::timers::Timer;
use super::{Sequencer, rejection};
use crate::core::order::{Command, Member, MemberId, Order};
use crate::core::{Now, Time};
use crate::wire::batch::HEADER_LEN;
use crate::wire::native::Publish;
use crate::wire::reply::{self, Code};
use crate::wire::{ClientSequence, Name};

impl Sequencer {
    /// A peer of a fixed dialect has something to say.
    pub(super) fn text(&mut self, now: Now, member: MemberId, payload: &[u8]) {
        let session = self.sessions.get(member);
        let is_allowed = payload.len() <= self.limits.message_bytes;
        if is_allowed && !self.has_room(&session.name, payload) {
            if let Some(route) = session.route.clone() {
                let dialect = session.dialect;
                let full = rejection(Code::NoSpace, 0, DISK_FULL);
                self.refuse(&route, dialect, full);
            }
            return;
        }
        self.decide(now, Command::Say { member, payload });
    }

    /// A native peer publishes: what is new is ordered, what is known is confirmed again.
    pub(super) fn publish(&mut self, now: Now, member: MemberId, publish: Publish<'_>) {
        let count = self.fitting(member, &publish);
        self.decide(
            now,
            Command::Publish {
                member,
                publish,
                count,
            },
        );
        if count == publish.count {
            return;
        }
        let first_left = ClientSequence(publish.first.0 + u64::from(count));
        let last = self.order.member(member).map(Member::last_sequence);
        // If something was wrong with what comes before it in the frame, it was said.
        let nothing_else = count == 0 || last.is_some_and(|last| last.0 + 1 >= first_left.0);
        if nothing_else && let Some(route) = self.sessions.get(member).route.clone() {
            self.confirm(member);
            let dialect = self.sessions.get(member).dialect;
            let full = rejection(Code::NoSpace, first_left.0, DISK_FULL);
            self.refuse(&route, dialect, full);
        }
    }

    /// How many of a frame's messages the log has room for; those that were ordered before need
    /// none.
    fn fitting(&self, member: MemberId, publish: &Publish<'_>) -> u32 {
        let name = &self.sessions.get(member).name;
        let fits_as_a_whole = {
            let each = Order::cost_of_message(name, 0);
            let headers = each.saturating_mul(publish.count as usize);
            self.fits(headers.saturating_add(publish.bytes()))
        };
        if fits_as_a_whole {
            return publish.count;
        }
        let last = self.order.member(member).map(Member::last_sequence);
        let last = last.unwrap_or_default();
        let mut needed = 0;
        let mut fitting = 0;
        for (sequence, payload) in (publish.first.0..).zip(publish.payloads()) {
            if sequence > last.0 {
                let cost = Order::cost_of_message(name, payload.len());
                if !self.fits(needed + cost) {
                    break;
                }
                // They share a header.
                needed += cost - HEADER_LEN;
            }
            fitting += 1;
        }
        fitting
    }

    fn has_room(&self, name: &Name, payload: &[u8]) -> bool {
        self.fits(Order::cost_of_message(name, payload.len()))
    }

    /// Confirms what every publisher had ordered since the last time, unless that waits.
    pub(super) fn confirm_all(&mut self, now: Time) {
        if self.marked.to_confirm.is_empty() {
            return;
        }
        if let Some(until) = self.pace.holds(now, &self.limits) {
            return self.timers.set(Timer::Pace, until);
        }
        let mut marked = std::mem::take(&mut self.marked.to_confirm);
        for &id in &marked {
            if let Some(session) = self.sessions.find_mut(id) {
                session.marks.to_confirm = false;
                self.confirm(id);
            }
        }
        marked.clear();
        self.marked.to_confirm = marked;
    }

    /// Whether confirmations wait for the member that is furthest.
    #[must_use]
    pub fn is_pacing(&self) -> bool {
        self.pace.is_holding()
    }

    /// Tells a publisher what was ordered of what it sent, once that is committed.
    pub(super) fn confirm(&mut self, id: MemberId) {
        let session = self.sessions.get_mut(id);
        if session.confirms.is_empty() {
            return;
        }
        let mut runs = std::mem::take(&mut session.confirms);
        if let Some(route) = session.route.clone() {
            let frame = reply::confirm(runs.as_slice());
            self.answer(&route, frame, About::Confirmation);
        }
    }
}
