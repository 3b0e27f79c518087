//! What a log tells of itself while it is written to. Those who look take nothing that its thread
//! would wait for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::medium::Medium;

/// Upper bounds of batches, in messages.
const MESSAGES: &[u64] = &[
    1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536,
];
/// Upper bounds of syncs, in microseconds.
const MICROSECONDS: &[u64] = &[
    50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000,
    1_000_000, 2_000_000, 5_000_000, 10_000_000,
];
/// A sync that takes longer is worth a line, as every message waits for it.
const SLOW: Duration = Duration::from_secs(1);
/// How often such a line is written at most.
const SAY_EVERY: Duration = Duration::from_mins(1);

/// How values are distributed. One thread adds, any may look.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self {
            bounds,
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
        }
    }

    fn add(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(value, Relaxed);
    }

    /// Upper bounds, ascending, each with the number of values that lie above the one before; the
    /// last has no bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts.iter().map(|count| count.load(Relaxed)))
    }

    /// What all values add up to.
    pub fn sum(&self) -> u64 {
        self.sum.load(Relaxed)
    }
}

/// See the module.
pub struct Figures {
    /// Whose clock times syncs; `None`: there is nothing to sync.
    medium: Option<Arc<dyn Medium>>,
    batches: Histogram,
    syncs: Histogram,
    /// When the sync began that runs, in microseconds of the medium's clock and 1 more; 0: none.
    since: AtomicU64,
    /// When a slow sync was last told of, likewise.
    said: AtomicU64,
    full: AtomicBool,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            medium: None,
            batches: Histogram::new(MESSAGES),
            syncs: Histogram::new(MICROSECONDS),
            since: AtomicU64::new(0),
            said: AtomicU64::new(0),
            full: AtomicBool::new(false),
        }
    }
}

impl Figures {
    pub(super) fn of(medium: &Arc<dyn Medium>) -> Self {
        Self {
            medium: Some(Arc::clone(medium)),
            ..Self::default()
        }
    }

    /// How many messages batches had.
    pub fn batches(&self) -> &Histogram {
        &self.batches
    }

    /// How long syncs took, in microseconds; `None`: there is nothing to sync.
    pub fn syncs(&self) -> Option<&Histogram> {
        self.medium.as_ref().map(|_| &self.syncs)
    }

    /// For how long the sync has run that runs now.
    pub fn sync_runs(&self) -> Option<Duration> {
        let since = self.since.load(Relaxed).checked_sub(1)?;
        let now = micros(self.medium.as_ref()?.uptime());
        Some(Duration::from_micros(now.saturating_sub(since)))
    }

    /// Whether messages are refused, as there is no space for them.
    pub fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Relaxed);
    }

    pub(super) fn add_batch(&self, messages: u64) {
        self.batches.add(messages);
    }

    /// Does a sync, and notes how long it takes. The log does one at a time.
    pub(super) fn time_sync<T>(&self, sync: impl FnOnce() -> T) -> T {
        let Some(medium) = &self.medium else {
            return sync();
        };
        let begun = medium.uptime();
        self.since.store(micros(begun) + 1, Relaxed);
        let result = sync();
        self.since.store(0, Relaxed);
        let ended = medium.uptime();
        let took = ended.saturating_sub(begun);
        self.syncs.add(micros(took));
        if took >= SLOW && self.may_say(ended) {
            log::warn!(
                "a sync of the log has taken {:.1} s: messages wait for it (said at most once a \
                 minute)",
                took.as_secs_f64()
            );
        }
        result
    }

    fn may_say(&self, now: Duration) -> bool {
        let now = micros(now) + 1;
        let said = self.said.load(Relaxed);
        let may = said == 0 || now.saturating_sub(said) >= micros(SAY_EVERY);
        if may {
            self.said.store(now, Relaxed);
        }
        may
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figures")
            .field("batches", &self.batches)
            .field("syncs", &self.syncs)
            .field("full", &self.full)
            .finish_non_exhaustive()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_under_the_bound_that_it_does_not_exceed() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, 500] {
            histogram.add(value);
        }
        let buckets: Vec<_> = histogram.buckets().collect();
        assert_eq!(buckets, [(Some(1), 2), (Some(10), 2), (None, 2)]);
        assert_eq!(histogram.sum(), 524);
    }
}
