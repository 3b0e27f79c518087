//! What a participant says to the broker, one frame at a time.

use std::borrow::Cow;

use super::retry::Retry;
use super::{Liveness, Participant, Phase, Pong};
use crate::core::Time;
use crate::wire::native::{self, Attempt, Hello, Start};

impl Participant {
    /// The next frame to send, which then counts as sent. Ask again until there is none.
    pub fn next_frame(&mut self, now: Time) -> Option<Cow<'_, [u8]>> {
        match &mut self.phase {
            Phase::Unconnected | Phase::Ended => None,
            Phase::Greeting(retry) => {
                if !retry.is_due(now) {
                    return None;
                }
                retry.tried(now, self.limits.hello_retry_most);
                self.greeted = Some(now);
                Some(Cow::Owned(self.hello().encode()))
            }
            Phase::Departing(goodbye, retry) => {
                if !retry.is_due(now) {
                    return None;
                }
                retry.tried(now, self.limits.hello_retry_most);
                Some(Cow::Owned(goodbye.encode()))
            }
            Phase::Member(_) => self.next_member_frame(now),
        }
    }

    /// The broker and we disagree about where we are: it is told again, but not twice in a moment.
    pub(super) fn greet_again(&mut self, now: Time) {
        if !matches!(self.phase, Phase::Member(_)) {
            return;
        }
        let not_before = self.greeted.map(|at| at + self.limits.hello_least);
        let at = not_before.map_or(now, |at| at.max(now));
        self.phase = Phase::Greeting(Retry::new(at, self.limits.hello_retry));
    }

    fn hello(&self) -> Hello {
        let start = self.session.as_ref().map(|session| {
            // It knows what is processed; what was only handed out could be lost with us.
            Start::Resume(session.receiver.processed())
        });
        Hello {
            name: self.settings.name.clone(),
            start: start.unwrap_or(self.settings.start),
            receive: self.settings.receive || self.settings.observe,
            observe: self.settings.observe,
            log_id: self.log_id().unwrap_or(self.settings.log_id),
            attempt: self.settings.life.map(|life| Attempt {
                life,
                number: self.connections,
            }),
        }
    }

    fn next_member_frame(&mut self, now: Time) -> Option<Cow<'_, [u8]>> {
        let session = self.session.as_mut()?;
        if self.pong == Pong::Due {
            self.pong = Pong::None;
            return Some(Cow::Owned(native::pong()));
        }
        if let Some(order) = session.receiver.next_ack(now) {
            return Some(Cow::Owned(native::ack(order)));
        }
        if let Some(goodbye) = self.leaving {
            let mut again = Retry::new(now, self.limits.hello_retry);
            again.tried(now, self.limits.hello_retry_most);
            self.phase = Phase::Departing(goodbye, again);
            return Some(Cow::Owned(goodbye.encode()));
        }
        if self.phase == Phase::Member(Liveness::ToAsk) {
            self.phase = Phase::Member(Liveness::Asked);
            return Some(Cow::Owned(native::ping()));
        }
        let frame = session.publishing.next_frame(now, &self.limits);
        frame.map(Cow::Borrowed)
    }
}
