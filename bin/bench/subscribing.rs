//! A subscribing thread: its connections, and the check and the time of every message.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::check::Check;
use super::error::Error;
use super::link::{Link, Patience, Who};
use super::shared::{News, Shared};
use super::stamp::Payload;

/// Frames that are taken from one connection before the others have their turn.
const BURST: usize = 256;
/// How often to look whether the run is over while nothing arrives.
const WAIT: Duration = Duration::from_millis(50);
/// The clock is read again after so many bytes, which take a fraction of a microsecond.
const BYTES_A_READING: usize = 2048;
/// Width of a bar of throughput over time.
pub(super) const BUCKET: u64 = 10_000_000;
/// The longest latency that is told from longer ones.
const LONGEST: u64 = 600_000_000_000;

/// What a thread has to tell at the end.
pub(super) struct Report {
    pub(super) checks: Vec<Check>,
    pub(super) tally: Tally,
}

/// When messages came.
pub(super) struct Tally {
    /// Nanoseconds from the publish call to the delivery.
    pub(super) latency: Histogram<u64>,
    /// Deliveries in each stretch of [`BUCKET`] nanoseconds.
    pub(super) buckets: Vec<u64>,
    pub(super) last_delivery: u64,
    /// The longest that a subscriber was delivered nothing, between two deliveries.
    pub(super) silence: u64,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            latency: histogram(),
            buckets: Vec::new(),
            last_delivery: 0,
            silence: 0,
        }
    }

    /// Adds what another thread has seen.
    pub(super) fn add(&mut self, other: &Self) {
        self.latency
            .add(&other.latency)
            .expect("both have the same bounds");
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
        self.last_delivery = self.last_delivery.max(other.last_delivery);
        self.silence = self.silence.max(other.silence);
    }

    #[inline]
    fn delivered(&mut self, now: u64, sent_at: u64) {
        self.latency.saturating_record(now.saturating_sub(sent_at));
        self.last_delivery = now;
    }

    fn count(&mut self, now: u64, deliveries: u64) {
        let bucket = usize::try_from(now / BUCKET).unwrap_or(usize::MAX);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += deliveries;
    }
}

/// A histogram of nanoseconds. It has its full size from the start: `saturating_record` does not
/// make it grow.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LONGEST, 3).expect("three digits up to ten minutes can be had")
}

/// A subscriber.
struct Seat<L> {
    link: L,
    check: Check,
    /// When it was delivered something; none before the first message.
    delivered: Option<u64>,
}

/// Runs a thread's subscribers until the run is over.
pub(super) fn run<L: Link>(
    shared: &Shared<'_>,
    who: &[Who],
    prepare: impl Fn(&mut L),
) -> Result<Report, Error> {
    let home = L::Home::default();
    let mut seats = Vec::with_capacity(who.len());
    for who in who {
        let mut link = L::open(&home, who)?;
        prepare(&mut link);
        let check = Check::new(shared.plan.publishers);
        seats.push(Seat {
            link,
            check,
            delivered: None,
        });
    }
    let payload = shared.payload();
    let mut tally = Tally::new();
    let mut stage = Stage::Joining;
    let mut ready = Vec::new();
    while !shared.is_over() {
        let links = seats.iter().map(|seat| (&seat.link, Patience::ToTake));
        L::wait(links, WAIT, &mut ready)?;
        for place in ready.drain(..) {
            burst(shared, &mut seats[place], &payload, &mut tally)?;
        }
        if let ControlFlow::Break(()) = stage.advance(shared, &seats) {
            break;
        }
    }
    for seat in &mut seats {
        seat.link.close()?;
    }
    Ok(Report {
        checks: seats.into_iter().map(|seat| seat.check).collect(),
        tally,
    })
}

/// How far a thread's subscribers are.
enum Stage {
    Joining,
    Receiving,
    /// They have everything; what comes now is too much.
    Complete,
}

impl Stage {
    fn advance<L: Link>(&mut self, shared: &Shared<'_>, seats: &[Seat<L>]) -> ControlFlow<()> {
        let all = shared.plan.messages;
        let news = match self {
            Self::Joining if seats.iter().all(|seat| seat.link.is_ready()) => {
                *self = Self::Receiving;
                News::Ready
            }
            Self::Receiving if seats.iter().all(|seat| seat.check.delivered == all) => {
                *self = Self::Complete;
                News::Complete
            }
            _ => return ControlFlow::Continue(()),
        };
        // It goes unheard once the run was given up.
        match shared.news.send(news) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}

fn burst<L: Link>(
    shared: &Shared<'_>,
    seat: &mut Seat<L>,
    payload: &Payload,
    tally: &mut Tally,
) -> Result<(), Error> {
    seat.link.begin()?;
    let before = seat.check.delivered;
    let begin = shared.clock.now();
    let (mut now, mut bytes) = (begin, 0);
    for _ in 0..BURST {
        let check = &mut seat.check;
        let taken = seat.link.take(&mut |order, message| {
            if bytes >= BYTES_A_READING {
                now = shared.clock.now();
                bytes = 0;
            }
            bytes += message.len();
            match payload.read(message) {
                Ok(Some(stamp)) => {
                    if check.take(order, stamp) {
                        tally.delivered(now, stamp.sent_at);
                    }
                }
                Ok(None) => {}
                Err(_) => check.damaged += 1,
            }
        })?;
        if !taken {
            break;
        }
    }
    let delivered = seat.check.delivered - before;
    if delivered > 0 {
        tally.count(now, delivered);
        let last = seat.delivered.replace(now).unwrap_or(begin);
        tally.silence = tally.silence.max(begin.saturating_sub(last));
        shared.delivered.fetch_add(delivered, Ordering::Relaxed);
    }
    Ok(())
}

/// Joins with connections that are never read from then on, and holds them until the run is over.
pub(super) fn stall<L: Link>(shared: &Shared<'_>, who: &[Who]) -> Result<(), Error> {
    let home = L::Home::default();
    let mut links = Vec::with_capacity(who.len());
    for who in who {
        links.push(L::open(&home, who)?);
    }
    for link in &mut links {
        while !link.is_ready() && !shared.is_over() {
            L::wait(
                std::iter::once((&*link, Patience::ToTake)),
                WAIT,
                &mut Vec::new(),
            )?;
            link.begin()?;
            while !link.is_ready() && link.take(&mut |_, _| {})? {}
        }
    }
    shared.news.send(News::Ready).ok();
    shared.wait_for_the_end();
    Ok(())
}
