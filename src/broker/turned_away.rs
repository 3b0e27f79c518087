//! Says in the log who was turned away and why, at a limited rate: a peer that knocks for ever must
//! not fill a disk.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use crate::core::Time;

/// The same reason is said of an address again only after so long.
const AGAIN: Duration = Duration::from_mins(10);
/// Lines that are written in a row, before some are left out.
const BURST: u32 = 20;
/// How often that many may be written.
const PERIOD: Duration = Duration::from_secs(10);
/// Addresses and reasons that are remembered; with more, all are forgotten.
const REMEMBERED: usize = 1024;

/// What was said, and when.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    said: HashMap<(Option<IpAddr>, &'static str), Time>,
    since: Time,
    lines: u32,
    left_out: u64,
}

impl TurnedAway {
    /// Writes a line about a peer of `host`, who is shown as `who`, unless that was said lately.
    pub(super) fn say(
        &mut self,
        now: Time,
        host: Option<IpAddr>,
        who: &dyn Display,
        why: &'static str,
    ) {
        if let Some(line) = self.line(now, host, who, why) {
            log::warn!("{line}");
        }
    }

    fn line(
        &mut self,
        now: Time,
        host: Option<IpAddr>,
        who: &dyn Display,
        why: &'static str,
    ) -> Option<String> {
        if now.since(self.since) >= PERIOD {
            self.since = now;
            self.lines = 0;
        }
        let before = self.said.get(&(host, why));
        let is_known = before.is_some_and(|before| now.since(*before) < AGAIN);
        if is_known || self.lines == BURST {
            self.left_out += 1;
            return None;
        }
        if self.said.len() == REMEMBERED {
            self.said.clear();
        }
        self.said.insert((host, why), now);
        self.lines += 1;
        let left_out = std::mem::take(&mut self.left_out);
        let others = match left_out {
            0 => String::new(),
            more => format!(" (since the last such line {more} more were turned away)"),
        };
        Some(format!("turned away {who}: {why}{others}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knocks_for_ever_is_named_once_in_ten_minutes() {
        let mut turned_away = TurnedAway::default();
        let host = Some(IpAddr::from([10, 0, 0, 1]));
        let lines = (0..1200).filter_map(|second| {
            let now = Time::default() + Duration::from_secs(second);
            turned_away.line(now, host, &"10.0.0.1:7", "no key")
        });
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0], "turned away 10.0.0.1:7: no key");
        assert!(lines[1].contains("599 more"), "{lines:?}");
    }

    #[test]
    fn a_crowd_is_not_named_one_by_one() {
        let mut turned_away = TurnedAway::default();
        let named = (0..5_000_u32).filter(|number| {
            let host = Some(IpAddr::from(number.to_be_bytes()));
            let line = turned_away.line(Time::default(), host, &number, "no key");
            line.is_some()
        });
        assert_eq!(named.count(), BURST as usize);
        assert!(turned_away.said.len() <= REMEMBERED);
    }
}
