//! Marking sessions for what is to be done about them, and telling the log and others.

use super::timers::Timer;
use super::{MemberStatus, Sequencer};
use crate::core::Now;
use crate::core::order::{Command, MemberId, Order};

impl Sequencer {
    pub(super) fn mark_to_serve(&mut self, id: MemberId) {
        let session = self.sessions.get_mut(id);
        if !std::mem::replace(&mut session.marks.to_serve, true) {
            self.marked.to_serve.push(id);
        }
        self.mark_to_show(id);
    }

    pub(super) fn mark_to_save(&mut self, now: Now, id: MemberId) {
        if Self::is_local(id) {
            return; // the order has no position of it
        }
        let session = self.sessions.get_mut(id);
        if !std::mem::replace(&mut session.marks.to_save, true) {
            self.marked.to_save.push(id);
            self.save_later(now);
        }
    }

    pub(super) fn mark_to_show(&mut self, id: MemberId) {
        if Self::is_local(id) {
            return;
        }
        let session = self.sessions.get_mut(id);
        if !std::mem::replace(&mut session.marks.to_show, true) {
            self.marked.to_show.push(id);
        }
    }

    /// Puts the positions that have changed into the log; says whether there was room.
    pub(super) fn save(&mut self, now: Now) -> bool {
        let lasting = |&&id: &&MemberId| {
            let session = self.sessions.find(id);
            session.is_some_and(|session| session.marks.to_save && !session.transient)
        };
        let names =
            (self.marked.to_save.iter().filter(lasting)).map(|&id| &self.sessions.get(id).name);
        let cost = names.map(Order::cost_of_entry).sum();
        if !self.fits(cost) {
            return false;
        }
        self.timers.clear(Timer::Positions);
        let mut positions = Vec::with_capacity(self.marked.to_save.len());
        for id in self.marked.to_save.drain(..) {
            if let Some(session) = self.sessions.find_mut(id)
                && std::mem::take(&mut session.marks.to_save)
            {
                positions.push((id, session.position(now)));
            }
        }
        if !positions.is_empty() {
            self.decide(now, Command::Move(&positions));
        }
        true
    }

    pub(super) fn save_later(&mut self, now: Now) {
        let at = now.time + self.limits.floors_every;
        self.timers.set(Timer::Positions, at);
    }

    /// Calls `show` for each session whose status has changed since the last time, `None` for
    /// one that has ended.
    pub fn changed_status(&mut self, mut show: impl FnMut(MemberId, Option<MemberStatus>)) {
        for id in std::mem::take(&mut self.marked.to_show) {
            let session = self.sessions.find_mut(id);
            show(
                id,
                session.map(|session| {
                    session.marks.to_show = false;
                    MemberStatus::of(session)
                }),
            );
        }
    }

    /// The status of every member, in no particular order.
    pub fn status(&self) -> impl Iterator<Item = MemberStatus> {
        self.sessions
            .iter()
            .map(|(_, session)| MemberStatus::of(session))
    }
}
