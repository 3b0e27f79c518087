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
    /// The same at 200 and at 20,000
    Rates,
    /// Publishers that wait for each message before the next: one alone, and many
    Singly,
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
    Never,
    Binary,
    BareLatency,
    BareSyncedLatency,
    MemoryLatency,
    SyncedLatency,
    ManyMembers,
    Stalled,
    /// At a rate that no threshold is about.
    Rate(u64),
    /// So many publishers that wait for each message, and what they wait for.
    Singly(usize, Waits),
    /// One native publisher that does.
    Lone(Waits),
}

/// What makes a publisher wait that has one message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    Memory,
    Sync,
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
    /// Microseconds to deliver; where each message waits for the one before, to confirm.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// Milliseconds, the longest that a subscriber was delivered nothing.
    pub(super) silence: f64,
    /// Nanoseconds of the broker's processor time a delivery.
    pub(super) processor: f64,
}

impl Figures {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let through = |percentile| match outcome.plan.unconfirmed {
            1 => outcome.confirmation(percentile).unwrap_or(f64::NAN),
            _ => outcome.latency(percentile),
        };
        Self {
            deliveries_per_second: outcome.deliveries_per_second(),
            p50: through(50.0),
            p99: through(99.0),
            silence: outcome.silence(),
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
        let name = "native, on disk, never synced";
        add(Key::Never, name, native, disk(Sync::Never), million);
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
    if asked(Part::Rates) {
        all.extend(at_other_rates(within, scale));
    }
    if asked(Part::Singly) {
        all.extend(one_after_the_other(within, threads, scale));
    }
    all
}

/// What is run at other rates than that of the thresholds.
fn at_other_rates(within: &Path, scale: f64) -> Vec<Course> {
    let mut all = Vec::new();
    for (rate, messages, names) in [
        (
            200,
            600,
            [
                "bare, 200 a second",
                "bare, each synced, 200 a second",
                "native, in memory, 200 a second",
                "native, synced, 200 a second",
            ],
        ),
        (
            20_000,
            40_000,
            [
                "bare, 20,000 a second",
                "bare, each synced, 20,000 a second",
                "native, in memory, 20,000 a second",
                "native, synced, 20,000 a second",
            ],
        ),
    ] {
        for ((_, _, dialect, storage), name) in
            through_an_idle_broker(within).into_iter().zip(names)
        {
            let mut plan = plan(dialect, storage, scaled(messages, scale), 1);
            plan.rate = rate;
            let key = Key::Rate(rate);
            all.push(Course { key, name, plan });
        }
    }
    all
}

/// Publishers that wait until a message is confirmed, or has come back, before the next: where
/// peers live that publish one message a frame, and commits of groups pay.
fn one_after_the_other(within: &Path, threads: usize, scale: f64) -> Vec<Course> {
    let disk = || Storage::Disk {
        within: within.to_owned(),
        sync: Sync::Always,
    };
    let (native, binary) = (Dialect::Native, Dialect::Binary);
    let (memory, sync) = (Waits::Memory, Waits::Sync);
    let rows = [
        ("native, in memory, one at a time", native, memory, 1, 4_000),
        ("native, synced, one at a time", native, sync, 1, 4_000),
        ("binary, in memory, one at a time", binary, memory, 1, 4_000),
        ("binary, synced, one at a time", binary, sync, 1, 4_000),
        (
            "binary, in memory, 16 publishers",
            binary,
            memory,
            16,
            16_000,
        ),
        ("binary, synced, 16 publishers", binary, sync, 16, 16_000),
        (
            "binary, in memory, 256 publishers",
            binary,
            memory,
            256,
            8_000,
        ),
        ("binary, synced, 256 publishers", binary, sync, 256, 8_000),
    ];
    let course = |(name, dialect, waits, publishers, messages)| {
        let storage = if waits == sync {
            disk()
        } else {
            Storage::Memory
        };
        let messages = scaled(messages, scale).max(publishers as u64);
        let mut plan = plan(dialect, storage, messages, threads);
        plan.publishers = publishers;
        plan.subscribers = 1;
        plan.unconfirmed = 1;
        let key = match dialect {
            Dialect::Binary => Key::Singly(publishers, waits),
            _ => Key::Lone(waits),
        };
        Course { key, name, plan }
    };
    rows.into_iter().map(course).collect()
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
        unconfirmed: 0,
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
            _ => {}
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
