//! When a log is synced that may be synced later: so early that the sync is over by its deadline,
//! and nothing has to wait for it. A disk that is slower than that is waited for: the promise is
//! that nothing older than the period is lost.
//!
//! ```text
//!  first append        period / 2                       period
//!  ├───────────────────┼─ sync begins beside ───────────┼─ the order waits, if it still runs
//! ```

use std::time::Duration;

use crate::core::{Index, Time};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    /// When the first was appended of what no sync covers.
    since: Option<Time>,
    begun: Option<Begun>,
}

/// A sync that has begun.
#[derive(Clone, Copy, Debug)]
struct Begun {
    /// The last group that it covers.
    index: Index,
    /// When it has to be over; `None`: it is waited for.
    due: Option<Time>,
}

/// What is to be done about the log now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Begin a sync beside.
    Begin,
    /// Sync, and wait for it.
    Wait,
}

impl Lateness {
    /// Looks at how far the log is, and notes what is said to be done.
    pub(super) fn look(
        &mut self,
        period: Duration,
        now: Time,
        appended: Index,
        committed: Index,
    ) -> Due {
        self.begun = self.begun.filter(|begun| begun.index > committed);
        let covered = self.begun.map_or(committed, |begun| begun.index);
        if covered >= appended {
            self.since = None;
        } else {
            self.since.get_or_insert(now);
        }
        let is_late = self
            .begun
            .and_then(|begun| begun.due)
            .is_some_and(|due| due <= now);
        let is_after = |wait: Duration| self.since.is_some_and(|since| since + wait <= now);
        let (due, what) = match self.since {
            Some(_) if is_after(period) => (None, Due::Wait),
            _ if is_late => (None, Due::Wait),
            Some(since) if self.begun.is_none() && is_after(period / 2) => {
                (Some(since + period), Due::Begin)
            }
            _ => return Due::Nothing,
        };
        self.since = None;
        self.begun = Some(Begun {
            index: appended,
            due,
        });
        what
    }

    /// Up to which group the log has to be synced before anything more may be known.
    pub(super) fn awaited(&self) -> Option<Index> {
        let waits = |begun: &Begun| begun.due.is_none();
        self.begun.filter(waits).map(|begun| begun.index)
    }

    /// When to look again.
    pub(super) fn deadline(&self, period: Duration) -> Option<Time> {
        let patience = if self.begun.is_some() {
            period
        } else {
            period / 2
        };
        let begins = self.since.map(|since| since + patience);
        let due = self.begun.and_then(|begun| begun.due);
        begins.into_iter().chain(due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_micros(100);

    fn look(lateness: &mut Lateness, now: u64, appended: u64, committed: u64) -> Due {
        lateness.look(PERIOD, Time(now), Index(appended), Index(committed))
    }

    #[test]
    fn a_sync_begins_half_a_period_before_it_is_due() {
        let mut lateness = Lateness::default();
        assert_eq!(look(&mut lateness, 1000, 1, 0), Due::Nothing);
        assert_eq!(lateness.deadline(PERIOD), Some(Time(1050)));
        assert_eq!(look(&mut lateness, 1049, 2, 0), Due::Nothing);
        assert_eq!(look(&mut lateness, 1050, 3, 0), Due::Begin);
        assert_eq!(lateness.deadline(PERIOD), Some(Time(1100)));
        assert_eq!(look(&mut lateness, 1060, 3, 3), Due::Nothing);
        assert_eq!(lateness.deadline(PERIOD), None);
    }

    #[test]
    fn what_is_appended_beside_a_sync_has_a_period_of_its_own() {
        let mut lateness = Lateness::default();
        look(&mut lateness, 1000, 1, 0);
        assert_eq!(look(&mut lateness, 1050, 1, 0), Due::Begin);
        assert_eq!(look(&mut lateness, 1070, 2, 0), Due::Nothing);
        assert_eq!(look(&mut lateness, 1090, 2, 1), Due::Nothing);
        assert_eq!(lateness.deadline(PERIOD), Some(Time(1120)));
        assert_eq!(look(&mut lateness, 1120, 2, 1), Due::Begin);
    }

    #[test]
    fn a_sync_that_is_late_is_waited_for() {
        let mut lateness = Lateness::default();
        look(&mut lateness, 1000, 1, 0);
        look(&mut lateness, 1050, 1, 0);
        assert_eq!(lateness.awaited(), None);
        assert_eq!(look(&mut lateness, 1100, 2, 0), Due::Wait);
        assert_eq!(lateness.awaited(), Some(Index(2)));
        assert_eq!(lateness.deadline(PERIOD), None);
        look(&mut lateness, 1200, 2, 2);
        assert_eq!(lateness.awaited(), None);
    }
}
