//! How many connections are accepted from one address in a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::core::Time;

const SECOND: Duration = Duration::from_secs(1);

/// Counts what each address has had accepted in this second. What comes over Unix sockets counts
/// as one address.
#[derive(Debug)]
pub(super) struct Rate {
    most: u32,
    accepted: HashMap<Option<IpAddr>, u32>,
    since: Time,
}

impl Rate {
    /// At most so many a second.
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            accepted: HashMap::new(),
            since: Time::default(),
        }
    }

    /// Counts one more, and says whether it may stay.
    pub(super) fn admits(&mut self, now: Time, from: Option<IpAddr>) -> bool {
        if now.since(self.since) >= SECOND {
            self.since = now;
            self.accepted.clear();
        }
        let count = self.accepted.entry(from).or_default();
        *count = count.saturating_add(1);
        *count <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_in_a_second() {
        let mut rate = Rate::new(2);
        let start = Time::default() + SECOND;
        let (here, there) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let admitted: Vec<_> = (0..3).map(|_| rate.admits(start, Some(here))).collect();
        assert_eq!(admitted, [true, true, false]);
        assert!(rate.admits(start, Some(there)) && rate.admits(start, None));
        assert!(rate.admits(start + SECOND, Some(here)));
    }
}
