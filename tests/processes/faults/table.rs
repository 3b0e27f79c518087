//! The table of faults: what was done how often, and what it has cost.

use std::collections::BTreeMap;

use orden_kit::checker::outcome::Outcome;

#[derive(Default)]
pub(crate) struct Table(BTreeMap<&'static str, Row>);

#[derive(Default)]
struct Row {
    times: u64,
    at_stake: u64,
    recovery_ms: Vec<u64>,
}

impl Table {
    /// A fault is over, and everybody is well again.
    pub(crate) fn note(&mut self, what: &'static str, at_stake: u64, recovery_ms: u64) {
        let row = self.0.entry(what).or_default();
        row.times += 1;
        row.at_stake += at_stake;
        row.recovery_ms.push(recovery_ms);
    }

    /// As lines of docs/reliability.md.
    pub(crate) fn print(&mut self, outcome: &Outcome) {
        let Outcome {
            lost,
            duplicated,
            reordered,
            ..
        } = outcome;
        for (what, row) in &mut self.0 {
            row.recovery_ms.sort_unstable();
            let median = row.recovery_ms[row.recovery_ms.len() / 2];
            let most = row.recovery_ms.last().copied().unwrap_or(0);
            let (times, at_stake) = (row.times, row.at_stake);
            println!(
                "| {what} | {times} | {at_stake} | {lost} | {duplicated} | {reordered} \
                 | {median} / {most} ms |"
            );
        }
    }
}
