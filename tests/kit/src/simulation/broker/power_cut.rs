//! What would be left if the power were cut right now. Looking is surer than cutting: a promise
//! that is kept late is broken for a moment that few crashes hit.

use std::time::Duration;

use orden::commit::Sync;
use orden::core::{MemberStatus, Time};
use orden::store;

use super::{Broker, open_log};
use crate::simulated_disk::Leaves;

impl Broker {
    /// Whether everything that was told early enough would survive a power cut now. A log that is
    /// synced when the system likes promises nothing.
    pub(crate) fn judge_deadline(&self, told: &[(Time, u64)], now: Time) {
        let Sync::Every(period) = self.sync else {
            return;
        };
        // A sync may have begun right before, and take its time; then the next one.
        let slack = Duration::from_micros(2 * self.sync_micros.1) + Duration::from_millis(1);
        let early = told.iter().filter(|(at, _)| *at + period + slack < now);
        let Some(end) = early.map(|(_, end)| *end).max() else {
            return;
        };
        let next = self.left_by_a_power_cut().recovered.next.0;
        assert!(
            next >= end,
            "Durability: told of {end} long ago, and {next} is left"
        );
    }

    /// Whether what the answer to a goodbye says would survive a power cut now: the session has
    /// ended, or is away from the position that it had.
    pub(super) fn judge_farewell(&self, who: &str, member: Option<MemberStatus>) {
        let is_safe = self.sync == Sync::Always && self.memory.is_none();
        // Who is there again says nothing of what it was told before.
        if !is_safe || member.as_ref().is_some_and(|member| member.present) {
            return;
        }
        let left = self.left_by_a_power_cut().recovered;
        let left = left
            .sessions()
            .find(|entry| entry.name.as_bytes() == who.as_bytes());
        let left = left.map(|entry| (entry.away, entry.floor));
        let told = member.map(|member| (true, member.floor));
        assert_eq!(
            left, told,
            "Durability: what is left of {who}, and what it was told"
        );
    }

    fn left_by_a_power_cut(&self) -> store::Opened {
        let cut = self.disk.after_power_cut(Leaves::Nothing);
        open_log(&cut, &self.options).unwrap()
    }
}
