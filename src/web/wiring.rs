//! The broker that there is, as the HTTP side wants to see it.
//!
//! The only file that knows both. What the broker does not tell yet (syncs, batches, connections,
//! whether its disk is full) is `None` here, and left out of what is shown.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use super::query;
use super::report::{
    BEHIND, Lag, LogSize, Member, MembersPage, MembersQuery, Presence, Sort, Status, lag,
};
use super::seam::{Source, Unready};
use crate::broker::{self, InProcess, Outside};
use crate::core::MemberStatus;
use crate::store::LogReader;
use crate::wire::{Dialect, Epoch, LogId, Name, OrderNumber};

/// How often followers look whether there is more to read.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A look at all members is not repeated before so many times as long as it took: however often it
/// is asked for, it takes no more than a small part of a processor.
const REST: u32 = 20;
/// How old the figures of the disk may be.
const DISK_EVERY: Duration = Duration::from_secs(5);
/// The dialects, in the order in which they are shown.
const DIALECTS: [Dialect; 4] = [
    Dialect::Native,
    Dialect::Binary,
    Dialect::Json,
    Dialect::Raw,
];

/// A running broker, seen through what it shows to the rest of its process.
pub struct Wiring {
    outside: Outside,
    reader: Mutex<Box<dyn LogReader>>,
    end: watch::Sender<OrderNumber>,
    /// There is somebody to tell of it.
    subscribed: Notify,
    started: Instant,
    look: Mutex<Option<Look>>,
    data: Option<PathBuf>,
    disk: Mutex<Option<LogSize>>,
}

/// A look at everything, and when it is to be taken again at the earliest.
struct Look {
    shown: Arc<broker::Status>,
    again: Instant,
}

impl Wiring {
    /// Looks at this broker, whose log lies in `data` if it lies on a disk.
    pub fn new(outside: &Outside, data: Option<PathBuf>) -> Self {
        let reader = outside.reader();
        let (end, _) = watch::channel(reader.extent().end);
        let wiring = Self {
            outside: outside.clone(),
            reader: Mutex::new(reader),
            end,
            subscribed: Notify::new(),
            started: Instant::now(),
            look: Mutex::default(),
            data,
            disk: Mutex::default(),
        };
        wiring.measure_disk();
        wiring
    }

    /// Tells those who read as it comes that there is more. Ends with the runtime.
    pub async fn follow(self: Arc<Self>) {
        loop {
            // Without a reader nothing has to be looked at.
            if self.end.receiver_count() == 0 {
                self.subscribed.notified().await;
            }
            let end = self.extent().end;
            self.end
                .send_if_modified(|known| std::mem::replace(known, end) != end);
            sleep(LOOK_EVERY).await;
        }
    }

    /// Measures the disk now and then. Ends with the runtime.
    pub async fn watch_disk(self: Arc<Self>) {
        while self.data.is_some() {
            sleep(DISK_EVERY).await;
            let wiring = Arc::clone(&self);
            // A disk that hangs keeps one thread waiting, and no request.
            let measured = tokio::task::spawn_blocking(move || wiring.measure_disk()).await;
            if measured.is_err() {
                return;
            }
        }
    }

    fn measure_disk(&self) {
        let size = self.data.as_deref().and_then(measure);
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner) = size;
    }

    fn extent(&self) -> std::ops::Range<OrderNumber> {
        self.reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extent()
    }

    /// What the broker shows, by name; perhaps what it showed a moment ago.
    fn look(&self) -> Arc<broker::Status> {
        let mut look = self.look.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(look) = look.as_ref().filter(|look| now < look.again) {
            return Arc::clone(&look.shown);
        }
        let mut shown = self.outside.ack_map.status();
        let took = now.elapsed();
        shown.members.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let shown = Arc::new(shown);
        *look = Some(Look {
            shown: Arc::clone(&shown),
            again: now + took * REST,
        });
        shown
    }
}

impl Source for Wiring {
    fn log_id(&self) -> LogId {
        self.outside.log_id
    }

    fn epoch(&self) -> Epoch {
        self.outside.epoch
    }

    fn is_alive(&self) -> bool {
        // Those that were told to stop may have ended.
        self.outside.stopper.is_stopping() || self.outside.is_alive()
    }

    fn unready(&self) -> Option<Unready> {
        if self.outside.stopper.is_stopping() {
            return Some(Unready::Draining);
        }
        (!self.outside.is_alive()).then_some(Unready::ThreadGone)
    }

    fn status(&self) -> Status {
        let look = self.look();
        let counters = &look.counters;
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
            connections: None,
            members: presence(&look.members),
            ordered: counters.ordered,
            delivered: counters.delivered,
            repeated: counters.repeated,
            retransmitted: counters.resent,
            refused: counters.refused.clone(),
            log: *self.disk.lock().unwrap_or_else(PoisonError::into_inner),
            sync: None,
            batch: None,
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            kinds: kinds(&look.members),
            behind: lags.iter().filter(|&&lag| lag >= BEHIND).count() as u64,
            lag: quantiles(&lags),
        }
    }

    fn members(&self, query: &MembersQuery) -> MembersPage {
        page(&self.look(), query)
    }

    fn member(&self, name: &Name) -> Option<Member> {
        let look = self.look();
        let found = look
            .members
            .binary_search_by(|member| member.name.cmp(name));
        found
            .ok()
            .map(|at| Member::of(&look.members[at], look.next))
    }

    fn reader(&self) -> Box<dyn LogReader> {
        self.outside.reader()
    }

    fn end(&self) -> watch::Receiver<OrderNumber> {
        let end = self.end.subscribe();
        self.subscribed.notify_one();
        end
    }

    fn in_process(&self) -> Option<InProcess> {
        Some(self.outside.in_process.clone())
    }
}

fn presence(members: &[MemberStatus]) -> Presence {
    let present = members.iter().filter(|member| member.present).count() as u64;
    let away = members.len() as u64 - present;
    Presence { present, away }
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

/// A page of members that lie in the order of their names.
fn page(look: &broker::Status, query: &MembersQuery) -> MembersPage {
    let by_lag = |member: &&MemberStatus| std::cmp::Reverse(lag(member, look.next).unwrap_or(0));
    let mut rest: Vec<&MemberStatus> = match (&query.after, query.sort) {
        (Some(after), Sort::Name) => {
            let from = look.members.partition_point(|member| member.name <= *after);
            look.members[from..].iter().collect()
        }
        (Some(after), Sort::Lag) => {
            let known = look
                .members
                .binary_search_by(|member| member.name.cmp(after));
            // One that has left meanwhile had no lag: only names tell what comes after it.
            let place = known.map_or((std::cmp::Reverse(0), after), |at| {
                (by_lag(&&look.members[at]), after)
            });
            let comes_after = |member: &&MemberStatus| (by_lag(member), &member.name) > place;
            look.members.iter().filter(comes_after).collect()
        }
        (None, _) => look.members.iter().collect(),
    };
    let more = rest.len() > query.limit;
    if query.sort == Sort::Lag {
        let key = |member: &&MemberStatus| (by_lag(member), member.name.clone());
        if more && query.limit > 0 {
            rest.select_nth_unstable_by_key(query.limit - 1, key);
            rest.truncate(query.limit);
        }
        rest.sort_by_key(key);
    }
    rest.truncate(query.limit);
    let last = rest.last().filter(|_| more);
    MembersPage {
        next: last.map(|member| query::encode(member.name.as_bytes())),
        total: look.members.len(),
        members: rest
            .iter()
            .map(|member| Member::of(member, look.next))
            .collect(),
    }
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
