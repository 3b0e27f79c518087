//! A publishing thread: as fast as messages are confirmed, or at a rate.
//!
//! At a rate, each message carries the time at which it was to be published, not that at which
//! it was: what holds a publisher up delays all that wait behind it, and that delay is counted
//! (Tene, "How NOT to Measure Latency": coordinated omission).

use std::collections::VecDeque;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::clock::wake_promptly;
use super::error::Error;
use super::link::{Patience, Publish, Who};
use super::shared::{News, Shared};
use super::stamp::{Payload, Stamp};
use super::subscribing::histogram;

/// Messages of one publisher before the others of its thread have their turn.
const BURST: usize = 256;
/// How often to look whether the run is over while nothing can be done.
const WAIT: Duration = Duration::from_millis(50);
/// Below this, sleep to the nanosecond; above, wait for the socket, which counts milliseconds.
const SLEEP_MOST: Duration = Duration::from_millis(2);
const EARLY: Duration = Duration::from_millis(1);

/// What a thread has to tell at the end.
pub(super) struct Report {
    /// When its first message was published.
    pub(super) first_publish: u64,
    /// Nanoseconds by which messages were published later than they should have been.
    pub(super) late: Histogram<u64>,
    /// Nanoseconds from the publish call to the confirmation.
    pub(super) confirm: Histogram<u64>,
    pub(super) unconfirmed: u64,
    /// Waits that ran to their end although a message was due and its link would have taken it:
    /// time in which the bench, not the broker, held all peers up.
    pub(super) stalls: u64,
}

/// A publisher.
struct Seat<L> {
    link: L,
    number: u16,
    next: u32,
    count: u32,
    /// When what is not confirmed was published.
    sent: VecDeque<u64>,
}

impl<L> Seat<L> {
    fn is_done(&self) -> bool {
        self.next == self.count
    }
}

/// Runs a thread's publishers until the run is over.
pub(super) fn run<L: Publish>(
    shared: &Shared<'_>,
    who: &[Who],
    prepare: impl Fn(&mut L),
) -> Result<Report, Error> {
    let home = L::Home::default();
    let mut seats = Vec::with_capacity(who.len());
    for who in who {
        let mut link = L::open(&home, who)?;
        prepare(&mut link);
        seats.push(Seat {
            link,
            number: u16::try_from(who.number).expect("publishers are limited"),
            next: 0,
            sent: VecDeque::new(),
            count: shared.plan.messages_of(who.number),
        });
    }
    join(shared, &mut seats)?;
    let mut publishing = Publishing {
        shared,
        payload: shared.payload(),
        start: 0,
        report: Report {
            first_publish: u64::MAX,
            late: histogram(),
            confirm: histogram(),
            unconfirmed: 0,
            stalls: 0,
        },
    };
    if let Ok(start) = shared.start.recv() {
        publishing.start = start;
        shared.clock.sleep_until(start);
        publishing.publish_all(&mut seats)?;
    }
    for seat in &mut seats {
        publishing.report.unconfirmed += seat.link.unconfirmed();
        seat.link.close()?;
    }
    Ok(publishing.report)
}

fn join<L: Publish>(shared: &Shared<'_>, seats: &mut [Seat<L>]) -> Result<(), Error> {
    while !shared.is_over() && seats.iter().any(|seat| !seat.link.is_ready()) {
        wait(seats, WAIT)?;
        take_all(seats)?;
    }
    // It goes unheard once the run was given up.
    shared.news.send(News::Ready).ok();
    Ok(())
}

struct Publishing<'a> {
    shared: &'a Shared<'a>,
    payload: Payload,
    start: u64,
    report: Report,
}

impl Publishing<'_> {
    fn publish_all<L: Publish>(&mut self, seats: &mut [Seat<L>]) -> Result<(), Error> {
        if self.shared.plan.rate > 0 {
            wake_promptly();
        }
        let mut told = false;
        while !self.shared.is_over() {
            let mut busy = false;
            for seat in &mut *seats {
                busy |= self.publish(seat)?;
            }
            busy |= take_all(seats)?;
            for seat in &mut *seats {
                // A confirmation may be read with what is not *taken*: it opens the window, and
                // no other may come that would end a wait.
                busy |= self.confirmed(seat);
            }
            let all_done = |seat: &Seat<L>| seat.is_done() && seat.link.unconfirmed() == 0;
            if !told && seats.iter().all(all_done) {
                told = true;
                // It goes unheard once the run was given up.
                self.shared.news.send(News::Complete).ok();
            }
            if !busy {
                self.wait(seats)?;
            }
        }
        Ok(())
    }

    /// Publishes what is due; says whether anything was.
    fn publish<L: Publish>(&mut self, seat: &mut Seat<L>) -> Result<bool, Error> {
        let mut published = false;
        let now = self.shared.clock.now();
        for _ in 0..BURST {
            if seat.is_done() {
                break;
            }
            let due = self.due(seat);
            let sent_at = due.unwrap_or(now);
            if sent_at > now {
                break;
            }
            let stamp = Stamp {
                publisher: seat.number,
                sequence: seat.next,
                sent_at,
            };
            if !self.may_publish(seat) || !seat.link.publish(self.payload.write(stamp))? {
                break;
            }
            seat.next += 1;
            seat.sent.push_back(sent_at);
            published = true;
            self.report.first_publish = self.report.first_publish.min(sent_at);
            if due.is_some() {
                self.report.late.saturating_record(now - sent_at);
            }
        }
        // Where nothing else is there to fill a frame with, what was published leaves.
        let is_due = self.shared.plan.rate > 0 || !self.may_publish(seat);
        if !published || is_due || seat.is_done() {
            seat.link.flush()?;
        }
        Ok(published)
    }

    /// Whether the run lets a publisher have one more message that is not confirmed.
    fn may_publish<L: Publish>(&self, seat: &Seat<L>) -> bool {
        let most = self.shared.plan.unconfirmed;
        most == 0 || seat.link.unconfirmed() < most
    }

    /// Notes what was confirmed, in the order of the messages; says whether anything was.
    fn confirmed<L: Publish>(&mut self, seat: &mut Seat<L>) -> bool {
        let now = self.shared.clock.now();
        let open = usize::try_from(seat.link.unconfirmed()).unwrap_or(usize::MAX);
        let confirmed = seat.sent.len().saturating_sub(open);
        for sent_at in seat.sent.drain(..confirmed) {
            self.report.confirm.saturating_record(now - sent_at);
        }
        confirmed > 0
    }

    /// When the seat's next message is to be published, if there is a rate. Publishers take
    /// turns.
    fn due<L>(&self, seat: &Seat<L>) -> Option<u64> {
        let plan = self.shared.plan;
        let place = u64::from(seat.next) * plan.publishers as u64 + u64::from(seat.number);
        let nanoseconds = u128::from(place) * 1_000_000_000;
        let after = nanoseconds.checked_div(u128::from(plan.rate))?;
        Some(self.start + u64::try_from(after).unwrap_or(u64::MAX))
    }

    /// Waits until something is due, may be due again, or has come.
    fn wait<L: Publish>(&mut self, seats: &[Seat<L>]) -> Result<(), Error> {
        let now = self.shared.clock.now();
        let due = (seats.iter().filter(|seat| !seat.is_done()))
            .filter_map(|seat| self.due(seat))
            .min();
        let left = due.map(|due| Duration::from_nanos(due.saturating_sub(now)));
        match (due, left) {
            (Some(due), Some(left)) if left > Duration::ZERO && left < SLEEP_MOST => {
                self.shared.clock.sleep_until(due);
                Ok(())
            }
            (_, Some(left)) if left >= SLEEP_MOST => {
                wait(seats, WAIT.min(left.saturating_sub(EARLY)))
            }
            // What is due and was not taken waits for a confirmation.
            _ => {
                let for_nothing = seats
                    .iter()
                    .any(|seat| !seat.is_done() && seat.link.is_open() && self.may_publish(seat));
                wait(seats, WAIT)?;
                let waited = Duration::from_nanos(self.shared.clock.now() - now);
                self.report.stalls += u64::from(for_nothing && waited >= WAIT);
                Ok(())
            }
        }
    }
}

/// Waits until a confirmation has come, or a socket takes messages again.
fn wait<L: Publish>(seats: &[Seat<L>], most: Duration) -> Result<(), Error> {
    let links = seats.iter().map(|seat| {
        let done = seat.is_done() && seat.link.unconfirmed() == 0;
        let patience = if done {
            Patience::ToTake
        } else {
            Patience::ToPublish
        };
        (&seat.link, patience)
    });
    L::wait(links, most, &mut Vec::new())
}

/// Takes what has come for all of them; says whether anything had.
fn take_all<L: Publish>(seats: &mut [Seat<L>]) -> Result<bool, Error> {
    let mut taken = false;
    for seat in seats {
        seat.link.begin()?;
        for _ in 0..BURST {
            if !seat.link.take(&mut |_, _| {})? {
                break;
            }
            taken = true;
        }
    }
    Ok(taken)
}
