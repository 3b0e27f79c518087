//! A running broker, as operators, metrics and pages see it: one look at everything, shared.
//!
//! It is taken from the ACK map and from what the broker counts, so the sequencer never waits for
//! it; and it is not taken again before it has rested, so that asking often costs little.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use super::members;
use super::report::{
    BEHIND, Descriptors, Distribution, Lag, LogSize, Member, MembersPage, MembersQuery, Presence,
    Status, Stream, Unready, lag,
};
use crate::broker::{self, Outside};
use crate::core::{MemberStatus, Time};
use crate::net::{Clock, descriptors};
use crate::store::LogReader;
use crate::wire::{Dialect, Name, OrderNumber};

/// A look at all members is not repeated before so many times as long as it took: however often it
/// is asked for, it takes no more than a small part of a processor.
const REST: u32 = 20;
/// A sync that runs for longer is overdue: every message waits for it.
const OVERDUE: Duration = Duration::from_secs(5);
/// How old the figures of the disk may be.
const DISK_EVERY: Duration = Duration::from_secs(5);
/// Microseconds in a second.
const MICROSECONDS: f64 = 1e6;
/// The dialects, in the order in which they are shown.
const DIALECTS: [Dialect; 4] = [
    Dialect::Native,
    Dialect::Binary,
    Dialect::Json,
    Dialect::Raw,
];

/// See the module.
pub struct View {
    outside: Outside,
    reader: Mutex<Box<dyn LogReader>>,
    clock: Clock,
    look: Mutex<Option<Look>>,
    data: Option<PathBuf>,
    disk: Mutex<Disk>,
}

/// A look at everything, and when it is to be taken again at the earliest.
struct Look {
    shown: Arc<broker::Status>,
    again: Time,
}

/// What the system says, as it was asked last.
#[derive(Clone, Copy, Default)]
struct Disk {
    descriptors: Option<Descriptors>,
    size: Option<LogSize>,
    measured: Option<Time>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("outside", &self.outside)
            .finish_non_exhaustive()
    }
}

impl View {
    /// Looks at this broker, whose log lies in `data` if it lies on a disk.
    #[must_use]
    pub fn new(outside: &Outside, data: Option<PathBuf>) -> Self {
        Self {
            outside: outside.clone(),
            reader: Mutex::new(outside.reader()),
            clock: Clock::start(),
            look: Mutex::default(),
            data,
            disk: Mutex::default(),
        }
    }

    /// The broker itself.
    #[must_use]
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// The messages that can be read. It never waits for a disk.
    #[must_use]
    pub fn extent(&self) -> Range<OrderNumber> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.extent()
    }

    /// Whether the broker's threads live. It asks no disk: a slow one is no reason to restart.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        // Those that were told to stop may have ended.
        self.outside.stopper.is_stopping() || self.outside.is_alive()
    }

    /// Why no work should be sent here; `None`: it serves. It never waits.
    #[must_use]
    pub fn unready(&self) -> Option<Unready> {
        if self.outside.stopper.is_stopping() || self.outside.ack_map.is_draining() {
            return Some(Unready::Draining);
        }
        if !self.outside.is_alive() {
            return Some(Unready::ThreadGone);
        }
        let log = &self.outside.vitals.log;
        if log.is_full() {
            // A broker that is sent no work would not look again.
            self.outside.pulse.nudge();
            return Some(Unready::DiskFull);
        }
        let is_overdue = log.sync_runs().is_some_and(|runs| runs >= OVERDUE);
        if is_overdue {
            return Some(Unready::SyncOverdue);
        }
        let standing = self.outside.ack_map.standing();
        if let Some(obstacle) = standing.and_then(|standing| standing.obstacle) {
            return Some(Unready::Stream(obstacle));
        }
        descriptors::are_scarce().then_some(Unready::NoDescriptor)
    }

    /// One look at everything that is counted. It may take as long as a look at all members, and
    /// wait for the disk that the log lies on.
    #[must_use]
    pub fn status(&self) -> Status {
        let look = self.look();
        let counters = &look.counters;
        let vitals = &self.outside.vitals;
        let disk = self.disk();
        let mut lags: Vec<u64> = (look.members.iter())
            .filter(|member| member.present)
            .filter_map(|member| lag(member, look.next))
            .collect();
        lags.sort_unstable();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            log_id: format!("{:016x}", self.outside.log_id.0),
            epoch: self.outside.epoch.0,
            next_order: look.next.0,
            oldest_order: self.extent().start.0,
            connections: vitals.connections(),
            descriptors: disk.descriptors,
            members: presence(&look.members),
            members_limit: vitals.members_limit() as u64,
            ordered: counters.ordered,
            delivered: counters.delivered,
            repeated: counters.repeated,
            retransmitted: counters.resent,
            refused: counters.refused.clone(),
            log: disk.size.map(|size| LogSize {
                full: vitals.log.is_full(),
                ..size
            }),
            sync: (vitals.log.syncs()).map(|it| Distribution::of(it, MICROSECONDS)),
            batch: Distribution::of(vitals.log.batches(), 1.0),
            stream: look.standing.map(Stream::of),
            position: look.standing.map(|standing| standing.position.0),
            brokers: look.standing.map(|_| names(&look.brokers)),
            uptime_seconds: self.clock.now().since(Time::default()).as_secs_f64(),
            kinds: kinds(&look.members),
            behind: lags.iter().filter(|&&lag| lag >= BEHIND).count() as u64,
            lag: quantiles(&lags),
        }
    }

    /// Who is how far, a page at a time. It may take as long as a look at all members.
    #[must_use]
    pub fn members(&self, query: &MembersQuery) -> MembersPage {
        let look = self.look();
        members::page(&look.members, look.next, query)
    }

    /// How far one member is. It may take as long as a look at all members.
    #[must_use]
    pub fn member(&self, name: &Name) -> Option<Member> {
        let look = self.look();
        let found = look
            .members
            .binary_search_by(|member| member.name.cmp(name));
        let at = found.ok()?;
        Some(Member::of(&look.members[at], look.next))
    }

    /// What the broker shows, by name; perhaps what it showed a moment ago.
    fn look(&self) -> Arc<broker::Status> {
        let mut look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if let Some(look) = look.as_ref().filter(|look| now < look.again) {
            return Arc::clone(&look.shown);
        }
        let mut shown = self.outside.ack_map.status();
        let took = self.clock.now().since(now);
        shown.members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let shown = Arc::new(shown);
        *look = Some(Look {
            shown: Arc::clone(&shown),
            again: now + took * REST,
        });
        shown
    }

    /// What the system says, asked now or a moment ago. While one caller waits for a disk that
    /// hangs, the others are told nothing.
    fn disk(&self) -> Disk {
        let mut disk = match self.disk.try_lock() {
            Ok(disk) => disk,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Disk::default(),
        };
        let now = self.clock.now();
        let is_fresh = |at: Time| now.since(at) < DISK_EVERY;
        if !disk.measured.is_some_and(is_fresh) {
            disk.descriptors = descriptors::open()
                .zip(descriptors::limit())
                .map(|(open, limit)| Descriptors { open, limit });
            disk.size = self.data.as_deref().and_then(measure);
            disk.measured = Some(self.clock.now());
        }
        *disk
    }
}

fn presence(members: &[MemberStatus]) -> Presence {
    let present = members.iter().filter(|member| member.present).count() as u64;
    let away = members.len() as u64 - present;
    Presence { present, away }
}

fn names(names: &[Name]) -> Vec<String> {
    let text = |name: &Name| String::from_utf8_lossy(name.as_bytes()).into_owned();
    names.iter().map(text).collect()
}

/// How many members there are of each kind, those without any too: a series that comes and goes
/// cannot be added up.
fn kinds(members: &[MemberStatus]) -> Vec<(bool, Dialect, u64)> {
    let kinds = [true, false].into_iter();
    let kinds = kinds.flat_map(|present| DIALECTS.map(|dialect| (present, dialect)));
    kinds
        .map(|(present, dialect)| {
            let is =
                |member: &&MemberStatus| (member.present, member.dialect) == (present, dialect);
            (present, dialect, members.iter().filter(is).count() as u64)
        })
        .collect()
}

/// Quantiles of ascending values.
fn quantiles(sorted: &[u64]) -> Option<Lag> {
    let max = *sorted.last()?;
    let at = |percent: usize| sorted[((sorted.len() * percent).div_ceil(100)).max(1) - 1];
    Some(Lag {
        p50: at(50),
        p90: at(90),
        p99: at(99),
        max,
    })
}

/// How large a log's files are, and what is free beside them.
fn measure(data: &Path) -> Option<LogSize> {
    let free = rustix::fs::statvfs(data).ok()?;
    let mut size = LogSize {
        free_bytes: free.f_bavail.saturating_mul(free.f_frsize),
        ..LogSize::default()
    };
    for entry in std::fs::read_dir(data).ok()? {
        let Ok(entry) = entry else { continue };
        // It may be gone by now.
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        if metadata.is_file() {
            size.bytes += metadata.len();
        }
        let name = entry.file_name();
        size.segments += u64::from(
            Path::new(&name)
                .extension()
                .is_some_and(|kind| kind == "segment"),
        );
    }
    Some(size)
}
