//! What must hold, as ratios of medians.

use super::course::{Figures, Key, Waits};

/// A least or most value, and what was measured.
pub(super) struct Threshold {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) bound: Bound,
}

/// What a ratio has to be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Threshold {
    pub(super) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.value >= least,
            Bound::AtMost(most) => self.value <= most,
        }
    }
}

/// A ratio of what was run, and what it has to be; without a value where one of both was not run.
type Candidate = (&'static str, Option<f64>, Bound);

/// All that can be judged by what was run.
pub(super) fn thresholds(median: impl Fn(Key) -> Option<Figures>) -> Vec<Threshold> {
    let median = &median;
    let candidates = (speeds(median).into_iter())
        .chain(latencies(median))
        .chain(members(median));
    let judged = |(name, value, bound): Candidate| {
        Some(Threshold {
            name,
            value: value?,
            bound,
        })
    };
    candidates.filter_map(judged).collect()
}

fn speeds(median: &impl Fn(Key) -> Option<Figures>) -> [Candidate; 6] {
    let speed = |key| Some(median(key)?.deliveries_per_second);
    [
        (
            "native synced / bare",
            ratio(speed(Key::Synced), speed(Key::Bare)),
            Bound::AtLeast(2.0),
        ),
        (
            "native synced / bare, 64 a frame",
            ratio(speed(Key::Synced), speed(Key::BareBatch)),
            Bound::AtLeast(0.7),
        ),
        (
            "native synced / native in memory",
            ratio(speed(Key::Synced), speed(Key::Memory)),
            Bound::AtLeast(0.8),
        ),
        (
            "speed: synced within a second / before delivery",
            ratio(speed(Key::Periodic), speed(Key::Synced)),
            Bound::AtLeast(0.9),
        ),
        (
            "speed: never synced / synced before delivery",
            ratio(speed(Key::Never), speed(Key::Synced)),
            Bound::AtLeast(0.9),
        ),
        (
            "binary / bare",
            ratio(speed(Key::Binary), speed(Key::Bare)),
            Bound::AtLeast(0.4),
        ),
    ]
}

fn latencies(median: &impl Fn(Key) -> Option<Figures>) -> [Candidate; 4] {
    let p50 = |key| Some(median(key)?.p50);
    let tail = |key| median(key).map(|figures| figures.p99 / figures.p50);
    let bare = p50(Key::BareLatency).zip(p50(Key::BareSyncedLatency));
    let allowed = bare.map(|(bare, synced)| allowed_latency(bare, synced));
    [
        (
            "latency: native in memory / bare",
            ratio(p50(Key::MemoryLatency), p50(Key::BareLatency)),
            Bound::AtMost(1.5),
        ),
        (
            "latency: native synced / (1.5 bare + a sync)",
            ratio(p50(Key::SyncedLatency), allowed),
            Bound::AtMost(1.0),
        ),
        (
            "latency in memory: p99 / median",
            tail(Key::MemoryLatency),
            Bound::AtMost(3.0),
        ),
        (
            "latency synced: p99 / median",
            tail(Key::SyncedLatency),
            Bound::AtMost(3.0),
        ),
    ]
}

fn members(median: &impl Fn(Key) -> Option<Figures>) -> [Candidate; 3] {
    let speed = |key| Some(median(key)?.deliveries_per_second);
    let processor = |key| Some(median(key)?.processor);
    let publishers = |waits| speed(Key::Singly(256, waits));
    [
        (
            "broker CPU a delivery: 512 members / 8",
            ratio(processor(Key::ManyMembers), processor(Key::Synced)),
            Bound::AtMost(1.3),
        ),
        (
            "speed with a member that never reads / without",
            ratio(speed(Key::Stalled), speed(Key::Synced)),
            Bound::AtLeast(0.9),
        ),
        (
            "256 binary publishers: synced / in memory",
            ratio(publishers(Waits::Sync), publishers(Waits::Memory)),
            Bound::AtLeast(0.8),
        ),
    ]
}

/// One and a half times the loop, and a sync.
///
/// What a sync takes is what it adds to the loop: the same work in the same place, where
/// processors sleep in between and other threads want them, too. In a loop of syncs and nothing
/// else each takes half of that.
fn allowed_latency(bare: f64, bare_synced: f64) -> f64 {
    1.5 * bare + (bare_synced - bare)
}

fn ratio(value: Option<f64>, reference: Option<f64>) -> Option<f64> {
    Some(value? / reference?)
}
