//! What is run in each round, and what is kept of it.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use orden::broker::Sync;

use crate::bench::human::as_float;
use crate::bench::outcome::Outcome;
use crate::bench::plan::{Dialect, Plan, Target};
use crate::bench::server::Storage;

/// The load of all thresholds: eight subscribers, one publisher, 120 bytes.
const SUBSCRIBERS: usize = 8;
const SIZE: usize = 120;
const MANY: usize = 512;
/// Messages a second at which a broker is idle most of the time.
const RATE: u64 = 2_000;
const PATIENCE: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_mins(5);

/// What can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// As fast as messages are confirmed
    Speed,
    /// The time through an idle broker, at 2,000 messages a second
    Latency,
    /// Many members, and one that never reads
    Members,
}

/// Which course it is; thresholds are about these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Bare,
    BareBatch,
    Memory,
    Synced,
    Periodic,
    Binary,
    BareLatency,
    BareSyncedLatency,
    MemoryLatency,
    SyncedLatency,
    ManyMembers,
    Stalled,
}

/// One way of running.
#[derive(Clone, Debug)]
pub(super) struct Course {
    pub(super) key: Key,
    pub(super) name: &'static str,
    pub(super) plan: Plan,
}

/// What is kept of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Figures {
    pub(super) deliveries_per_second: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Nanoseconds of the broker's processor time a delivery.
    pub(super) processor: f64,
}

impl Figures {
    pub(super) fn of(outcome: &Outcome) -> Self {
        Self {
            deliveries_per_second: outcome.deliveries_per_second(),
            p50: outcome.latency(50.0),
            p99: outcome.latency(99.0),
            processor: outcome.processor_a_delivery(),
        }
    }
}

/// What is run for these parts, in this order. Each takes a second or two where the machine has
/// nothing else to do.
pub(super) fn courses(parts: &[Part], within: &Path, threads: usize, scale: f64) -> Vec<Course> {
    let (bare, native, binary) = (Dialect::Bare, Dialect::Native, Dialect::Binary);
    let disk = |sync| Storage::Disk {
        within: within.to_owned(),
        sync,
    };
    let (alone, memory) = (|| Storage::Bare, || Storage::Memory);
    let synced = || disk(Sync::Always);
    let periodic = disk(Sync::Every(Duration::from_secs(1)));
    let asked = |part| parts.contains(&part);
    let million = 1_000_000;

    let mut all = Vec::new();
    let mut add = |key, name, dialect, storage, messages| {
        let plan = plan(dialect, storage, scaled(messages, scale), threads);
        all.push(Course { key, name, plan });
    };
    if asked(Part::Speed) || asked(Part::Members) {
        let name = "native, synced before delivery";
        add(Key::Synced, name, native, synced(), million);
    }
    if asked(Part::Members) {
        // Right after what it is compared with: the least that a busy host can come between.
        let name = "native, synced, a 9th never reads";
        add(Key::Stalled, name, native, synced(), million);
    }
    if asked(Part::Speed) {
        let name = "bare, one message a frame";
        add(Key::Bare, name, bare, alone(), 300_000);
        let name = "bare, 64 messages a frame";
        add(Key::BareBatch, name, bare, alone(), 800_000);
        add(Key::Memory, "native, in memory", native, memory(), million);
        let name = "native, synced within a second";
        add(Key::Periodic, name, native, periodic, million);
        add(Key::Binary, "binary, in memory", binary, memory(), 150_000);
    }
    if asked(Part::Members) {
        let name = "native, synced, 512 members";
        add(Key::ManyMembers, name, native, synced(), 20_000);
    }
    if asked(Part::Latency) {
        for (key, name, dialect, storage) in through_an_idle_broker(within) {
            add(key, name, dialect, storage, 6_000);
        }
    }
    for course in &mut all {
        course.adjust();
    }
    all
}

/// What is run at 2,000 messages a second.
fn through_an_idle_broker(within: &Path) -> [(Key, &'static str, Dialect, Storage); 4] {
    let (bare, native) = (Dialect::Bare, Dialect::Native);
    let bare_synced = Storage::BareSynced {
        within: within.to_owned(),
    };
    let synced = Storage::Disk {
        within: within.to_owned(),
        sync: Sync::Always,
    };
    [
        (
            Key::BareLatency,
            "bare, 2,000 a second",
            bare,
            Storage::Bare,
        ),
        (
            Key::BareSyncedLatency,
            "bare, each synced, 2,000 a second",
            bare,
            bare_synced,
        ),
        (
            Key::MemoryLatency,
            "native, in memory, 2,000 a second",
            native,
            Storage::Memory,
        ),
        (
            Key::SyncedLatency,
            "native, synced, 2,000 a second",
            native,
            synced,
        ),
    ]
}

/// A run with the load of most thresholds.
fn plan(dialect: Dialect, storage: Storage, messages: u64, threads: usize) -> Plan {
    Plan {
        dialect,
        target: Target::Child(storage),
        subscribers: SUBSCRIBERS,
        publishers: 1,
        stalled: 0,
        curve: false,
        messages,
        size: SIZE,
        rate: 0,
        batch: 1,
        threads,
        patience: PATIENCE,
        deadline: DEADLINE,
    }
}

impl Course {
    /// What is special about its load.
    fn adjust(&mut self) {
        match self.key {
            Key::BareBatch => self.plan.batch = 64,
            Key::ManyMembers => self.plan.subscribers = MANY,
            Key::Stalled => self.plan.stalled = 1,
            Key::BareLatency | Key::BareSyncedLatency | Key::MemoryLatency | Key::SyncedLatency => {
                self.plan.rate = RATE;
                // Eight threads that wake for each message leave no processor idle.
                self.plan.threads = 1;
            }
            Key::Bare | Key::Memory | Key::Synced | Key::Periodic | Key::Binary => {}
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of messages that fits"
)]
fn scaled(messages: u64, scale: f64) -> u64 {
    (as_float(messages) * scale).clamp(1.0, 4e9) as u64
}
