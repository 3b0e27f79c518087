//! A broker that reaches no server of the stream: its members do better at another one.

use std::time::Duration;

use super::Sequencer;
use super::commits::About;
use super::timers::Timer;
use crate::core::Now;
use crate::core::order::MemberId;
use crate::wire::Dialect;
use crate::wire::reply::{Code, Refusal};

/// A connection that is made anew is no reason to send all members away.
const AFTER: Duration = Duration::from_secs(3);
/// What members are told, and those who come meanwhile.
pub(super) const CUT_OFF: &str = "the broker reaches no server of the stream";

impl Sequencer {
    /// Whether members are sent elsewhere.
    pub(super) fn is_cut_off(&self) -> bool {
        self.among.as_ref().is_some_and(|among| among.is_cut_off)
    }

    /// A server of the stream is reached, or none is any more.
    pub(super) fn reached(&mut self, now: Now, is_reached: bool) {
        if is_reached {
            self.timers.clear(Timer::CutOff);
        } else {
            self.timers.set(Timer::CutOff, now.time + AFTER);
        }
        if let Some(among) = &mut self.among {
            among.is_cut_off &= !is_reached;
        }
    }

    /// No server was reached for so long that another broker may sooner reach one. Those who know
    /// no other are served as before.
    pub(super) fn send_members_elsewhere(&mut self) {
        if let Some(among) = &mut self.among {
            among.is_cut_off = true;
        }
        for id in self.sessions.bound().to_vec() {
            self.tell_closing(id, CUT_OFF);
        }
    }

    /// Tells a native member that it is served for a little while only.
    pub(super) fn tell_closing(&mut self, id: MemberId, text: &'static str) {
        let session = self.sessions.get(id);
        if session.dialect != Dialect::Native {
            return;
        }
        if let Some(route) = session.route.clone() {
            let refusal = Refusal {
                code: Code::Closing,
                detail: 0,
                text,
            };
            self.answer(&route, refusal.encode(), About::Other);
        }
    }
}
