//! What the application's threads and the client's own know together.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::{Error, Stop};
use super::outbox::Outbox;
use crate::core::participant::NotDelivered;
use crate::net::waker::Waker;
use crate::wire::native::Goodbye;
use crate::wire::sessions::SequenceRun;
use crate::wire::{ClientSequence, OrderNumber};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) outbox: Outbox,
    pub(super) waker: Waker,
    /// The number after the last delivery that the application has been given.
    handed_out: AtomicU64,
    /// The number after the last one that it has processed.
    processed: AtomicU64,
    /// Whether the thread holds deliveries back until the application has taken some.
    pub(super) is_inbox_full: AtomicBool,
    /// The most bytes of a message.
    largest: AtomicUsize,
    state: Mutex<State>,
    /// Signalled when `state` has changed.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_welcome: bool,
    /// The first number that is delivered.
    begin: OrderNumber,
    /// Everything up to here is confirmed.
    confirmed: ClientSequence,
    /// Messages whose order number a thread waits for.
    answers: BTreeMap<ClientSequence, Answer>,
    farewell: Option<Farewell>,
    stop: Option<Stop>,
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Awaited,
    Ordered(OrderNumber),
    OrderedBefore,
}

/// How the application wants to go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Farewell {
    pub(super) goodbye: Goodbye,
    /// How long to wait for confirmations.
    pub(super) patience: Duration,
}

impl Shared {
    pub(super) fn new(waker: Waker) -> Self {
        Self {
            outbox: Outbox::default(),
            waker,
            handed_out: AtomicU64::new(0),
            processed: AtomicU64::new(0),
            is_inbox_full: AtomicBool::new(false),
            largest: AtomicUsize::new(usize::MAX),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    // What the thread reports.

    /// The broker has answered. `last` is the last client sequence that was given out, of use
    /// the first time only, and so is `begin`, the first number of the deliveries.
    pub(super) fn welcomed(&self, last: ClientSequence, largest: usize, begin: OrderNumber) {
        self.largest.store(largest, Ordering::Relaxed);
        let mut state = self.lock();
        if !state.is_welcome {
            state.is_welcome = true;
            state.begin = begin;
            state.confirmed = last;
            self.outbox.begin_after(last);
            self.changed.notify_all();
        }
    }

    pub(super) fn confirmed(&self, run: &SequenceRun) {
        let place = |sequence: ClientSequence| sequence.0 - run.sequence.0;
        self.answer(run.sequence, u64::from(run.count), |sequence| {
            Answer::Ordered(run.order.plus(place(sequence)))
        });
    }

    pub(super) fn ordered_before(&self, first: ClientSequence, count: u64) {
        self.answer(first, count, |_| Answer::OrderedBefore);
    }

    fn answer(&self, first: ClientSequence, count: u64, answer: impl Fn(ClientSequence) -> Answer) {
        let mut state = self.lock();
        state.confirmed = ClientSequence(first.0 + count - 1);
        let end = ClientSequence(first.0 + count);
        for (&sequence, place) in state.answers.range_mut(first..end) {
            *place = answer(sequence);
        }
        self.changed.notify_all();
    }

    /// Nothing happens any more; the first reason stays.
    pub(super) fn stop(&self, stop: Stop) {
        self.outbox.stop(stop.clone());
        self.lock().stop.get_or_insert(stop);
        self.changed.notify_all();
    }

    // What the application asks for.

    /// Waits for the broker's first answer; returns the first number of the deliveries.
    pub(super) fn wait_for_welcome(
        &self,
        patience: Option<Duration>,
    ) -> Result<OrderNumber, Error> {
        let state = self.wait_while(patience, |state| !state.is_welcome);
        match (state.is_welcome, &state.stop) {
            (true, _) => Ok(state.begin),
            (_, Some(stop)) => Err(stop.clone().into()),
            _ => Err(Error::NoAnswer(patience.unwrap_or_default())),
        }
    }

    /// The most bytes that the broker takes.
    pub(super) fn largest(&self) -> usize {
        self.largest.load(Ordering::Relaxed)
    }

    /// Registers that a thread will wait for the number of this message.
    pub(super) fn expect(&self, sequence: ClientSequence) {
        self.lock().answers.insert(sequence, Answer::Awaited);
    }

    /// Waits for the number of a message that was [expected](Self::expect).
    pub(super) fn wait_for_number(&self, sequence: ClientSequence) -> Result<OrderNumber, Error> {
        let is_awaited =
            |state: &State| matches!(state.answers.get(&sequence), Some(Answer::Awaited));
        let mut state = self.wait_while(None, is_awaited);
        match state.answers.remove(&sequence) {
            Some(Answer::Ordered(order)) => Ok(order),
            Some(Answer::OrderedBefore) => Err(Error::OrderedBefore(sequence)),
            Some(Answer::Awaited) | None => Err(state.reason()),
        }
    }

    /// Waits until everything up to `sequence` is confirmed.
    pub(super) fn wait_for(
        &self,
        sequence: ClientSequence,
        patience: Duration,
    ) -> Result<(), Error> {
        let state = self.wait_while(Some(patience), |state| state.confirmed < sequence);
        if state.confirmed >= sequence {
            return Ok(());
        }
        if state.stop.is_some() {
            return Err(state.reason());
        }
        Err(Error::Unconfirmed {
            first: ClientSequence(state.confirmed.0 + 1),
            count: sequence.0 - state.confirmed.0,
        })
    }

    /// Everything up to this client sequence is confirmed.
    pub(super) fn confirmed_up_to(&self) -> ClientSequence {
        self.lock().confirmed
    }

    /// The application has been given everything before `end`.
    pub(super) fn handed_out(&self, end: OrderNumber) {
        self.handed_out.store(end.0, Ordering::Release);
    }

    /// The application has processed everything up to and including `order`.
    pub(super) fn process(&self, order: OrderNumber) -> Result<(), NotDelivered> {
        if order.0 >= self.handed_out.load(Ordering::Acquire) {
            return Err(NotDelivered(order));
        }
        self.processed.fetch_max(order.0 + 1, Ordering::AcqRel);
        Ok(())
    }

    /// The application has processed all that it was given.
    pub(super) fn process_all(&self) {
        let end = self.handed_out.load(Ordering::Acquire);
        self.processed.fetch_max(end, Ordering::AcqRel);
    }

    /// The number after the last one that the application has processed; 0 for none.
    pub(super) fn processed(&self) -> OrderNumber {
        OrderNumber(self.processed.load(Ordering::Acquire))
    }

    pub(super) fn say_farewell(&self, farewell: Farewell) {
        self.outbox.stop(Stop::Closed);
        self.lock().farewell.get_or_insert(farewell);
        self.waker.wake();
    }

    pub(super) fn farewell(&self) -> Option<Farewell> {
        self.lock().farewell
    }

    /// Whether the application has said farewell, or the thread has stopped.
    pub(super) fn is_over(&self) -> bool {
        let state = self.lock();
        state.farewell.is_some() || state.stop.is_some()
    }

    /// Why the thread has stopped.
    pub(super) fn reason(&self) -> Error {
        self.lock().reason()
    }

    /// Waits while `is_pending` and the thread runs, at most for `patience`.
    fn wait_while(
        &self,
        patience: Option<Duration>,
        is_pending: impl Fn(&State) -> bool,
    ) -> MutexGuard<'_, State> {
        let goes_on = |state: &mut State| state.stop.is_none() && is_pending(state);
        let state = self.lock();
        if let Some(patience) = patience {
            let waited = self.changed.wait_timeout_while(state, patience, goes_on);
            waited.unwrap_or_else(PoisonError::into_inner).0
        } else {
            let waited = self.changed.wait_while(state, goes_on);
            waited.unwrap_or_else(PoisonError::into_inner)
        }
    }

    /// A lock that was poisoned guards nothing that a panic could have left half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn reason(&self) -> Error {
        self.stop.clone().map_or(Error::Closed, Error::from)
    }
}
