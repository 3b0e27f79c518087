//! When a participant gives up its broker, as others have the same order.

use std::time::Duration;

use super::{Event, Obstacle, Participant, Phase, Presence};
use crate::core::Time;
use crate::wire::reply::Code;

impl Participant {
    /// Whether there are other brokers to go to.
    pub(super) fn has_others(&self) -> bool {
        self.settings.life.is_some()
    }

    /// Silence after which the broker is asked whether it is there.
    pub(super) fn ping_after(&self) -> Duration {
        if self.has_others() {
            self.limits.ping_elsewhere
        } else {
            self.limits.ping_after
        }
    }

    /// Silence after which the connection counts as dead. A goodbye has as long as ever: it must
    /// not be followed by a hello, at whichever broker.
    pub(super) fn stale_after(&self) -> Duration {
        if self.has_others() && !self.is_departing() {
            self.limits.stale_elsewhere
        } else {
            self.limits.stale_after
        }
    }

    /// Whether hello was said in vain for so long that another broker may sooner answer.
    pub(super) fn is_better_elsewhere(&self, now: Time) -> bool {
        let Phase::Greeting(retry) = self.phase else {
            return false;
        };
        self.has_others() && retry.tries >= self.limits.hellos_elsewhere && retry.is_due(now)
    }

    /// Whether the broker's going down is a reason to go.
    pub(super) fn leaves_closing(&self) -> bool {
        self.has_others() && !self.is_departing()
    }

    /// The broker goes down: another one serves us from here on.
    pub(super) fn goes_down(&mut self, now: Time, text: &str) {
        if self.presence == Presence::There {
            let (code, text) = (Code::Closing, text.to_owned());
            self.events.push_back(Event::Refused { code, text });
        }
        self.unreachable(now, Obstacle::GoesDown);
        self.disconnected(now);
    }

    fn is_departing(&self) -> bool {
        matches!(self.phase, Phase::Departing(..))
    }
}
