//! Whether a member is there, and when it has been away for too long.

use std::time::Duration;

use crate::core::Time;

/// A peer of a fixed dialect that is gone shows by the first frame that it is to get; what has not
/// come back after this time has been taken.
const TAKEN_AFTER: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It has spoken, and nothing speaks against it.
    Here,
    /// It was asked whether it is there, and has not answered.
    Asked,
    /// It is not there, as far as is known. A peer of a fixed dialect may reappear under its
    /// routing id without a word, so its route is kept and tried again.
    Away {
        /// When that became known to this broker.
        since: Time,
        /// For how long it was away before.
        before: Duration,
    },
    /// The log knows it, and nothing else. A peer of a fixed dialect may be connected under its
    /// routing id already, and has nothing to say; or it may never come back.
    Unseen {
        /// When this broker began.
        since: Time,
        /// For how long it was away before.
        before: Duration,
        /// When it was first sent something, which has not come back: it is there.
        tried: Option<Time>,
    },
    /// It is served by another broker.
    Elsewhere,
    /// It has gone for good, and the log has no room to say so yet.
    Leaving,
}

impl Life {
    /// Away from now on.
    pub(super) fn away(now: Time) -> Self {
        Self::Away {
            since: now,
            before: Duration::ZERO,
        }
    }

    /// Whether the peer is there, as far as is known.
    pub(super) fn is_present(self) -> bool {
        match self {
            Self::Here | Self::Asked | Self::Unseen { .. } | Self::Elsewhere => true,
            Self::Away { .. } | Self::Leaving => false,
        }
    }

    /// Since when nothing has shown that it is there, and for how long that was so before.
    pub(super) fn absence(self) -> Option<(Time, Duration)> {
        match self {
            Self::Away { since, before }
            | Self::Unseen {
                since,
                before,
                tried: None,
            } => Some((since, before)),
            _ => None,
        }
    }

    /// It is sent something.
    pub(super) fn try_out(&mut self, now: Time) {
        if let Self::Unseen { tried, .. } = self {
            tried.get_or_insert(now);
        }
    }

    /// What it was sent has come back.
    pub(super) fn without_peer(self, now: Time) -> Self {
        match self {
            Self::Unseen {
                since,
                before,
                tried,
            } if tried.is_none_or(|at| now.since(at) < TAKEN_AFTER) => Self::Away { since, before },
            Self::Away { .. } => self,
            _ => Self::away(now),
        }
    }

    /// Its absence counts from later on.
    pub(super) fn put_off(&mut self, by: Duration) {
        if let Self::Away { since, .. } | Self::Unseen { since, .. } = self {
            *since = *since + by;
        }
    }
}

/// When a session ends whose member is absent, and which may be away for so long.
pub(super) fn end_of_absence(((since, before), timeout): ((Time, Duration), Duration)) -> Time {
    since + timeout.saturating_sub(before)
}

/// For how long a member counts as away that a broker finds which begins: it has a minute, or a
/// quarter of the time that it may be away at all, in which to come back to this broker.
pub(super) fn to_come_back(away: Duration, timeout: Option<Duration>) -> Duration {
    timeout.map_or(away, |timeout| {
        let reserved = (timeout / 4).min(Duration::from_mins(1));
        away.min(timeout.saturating_sub(reserved))
    })
}
