//! The sequencer thread: runs the commit loop on what arrives, and passes on what it says.
//!
//! Whatever arrives while a sync runs is the next batch (group commit), so the slower the disk,
//! the larger the batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, never, select};

use super::Error;
use super::ack_map::AckMap;
use super::dispatcher::Signals;
use super::event_log::EventLog;
use super::exchange::{INBOUND_BURSTS, Inbound, Outbound};
use super::membership;
use super::operator::Waiting;
use super::vitals::Vitals;
use crate::commit::CommitLoop;
use crate::core::{Input, Now, Ready, StreamNews};
use crate::net::Clock;
use crate::net::waker::Waker;
use crate::stream::StreamEvent;
use crate::wire::OrderNumber;

/// How long a broker that stops waits for what it has proposed.
const FINISH: Duration = Duration::from_secs(2);
/// How often a broker that waits for the stream looks at whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// What the sequencer thread works with.
pub(super) struct Driver {
    pub(super) commits: CommitLoop,
    pub(super) clock: Clock,
    pub(super) inbound: Receiver<Inbound>,
    pub(super) outbound: Sender<Outbound>,
    pub(super) loads: Sender<OrderNumber>,
    pub(super) waker: Waker,
    pub(super) signals: Arc<Signals>,
    pub(super) ack_map: AckMap,
    /// Rounds so far.
    pub(super) rounds: Arc<AtomicU64>,
    pub(super) vitals: Vitals,
    pub(super) round: Round,
    /// What a broker that has joined others has to do first.
    pub(super) first: Option<Ready>,
}

/// What ends a wait.
enum Woken {
    Inbound(Inbound),
    Stream(StreamEvent),
    Due,
}

/// What is carried from one round to the next.
#[derive(Default)]
pub(super) struct Round {
    /// Stretches to ask for as soon as the loader has room.
    loads: VecDeque<OrderNumber>,
    events: EventLog,
    operators: Waiting,
    /// How far those who read the log were told that they can.
    end: OrderNumber,
    stopping: bool,
}

impl Driver {
    /// Works until it is told to stop, then closes the log.
    ///
    /// # Errors
    /// Those of the log: what it holds is then safe, and nothing was told that it does not.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let result = self.work();
        let Self {
            outbound,
            waker,
            commits,
            clock,
            ..
        } = self;
        drop(outbound);
        waker.wake();
        result?;
        Ok(commits.close(clock.now_with_wall())?)
    }

    fn work(&mut self) -> Result<(), Error> {
        let now = self.clock.now_with_wall();
        match self.first.take() {
            Some(ready) => self.pass_on(now, ready)?,
            None => self.round(now)?,
        }
        while !self.round.stopping {
            let woken = self.wait()?;
            let now = self.clock.now_with_wall();
            match woken {
                Woken::Inbound(first) => {
                    self.take(now, first)?;
                    self.take_more(now)?;
                }
                Woken::Stream(first) => {
                    self.commits.heard(now, first)?;
                    membership::take_events(&mut self.commits, now)?;
                    self.take_more(now)?;
                }
                Woken::Due => {}
            }
            self.round(now)?;
        }
        self.finish_among_others()
    }

    /// Waits until what this broker has proposed is applied, and its members are free to sit
    /// elsewhere.
    fn finish_among_others(&mut self) -> Result<(), Error> {
        if self.commits.stream_events().is_none() {
            return Ok(());
        }
        let now = self.clock.now_with_wall();
        self.commits.step(now, Input::Stream(StreamNews::Ends))?;
        let end = now.time + FINISH;
        loop {
            let now = self.clock.now_with_wall();
            self.round(now)?;
            if self.commits.machine().is_settled() || now.time >= end {
                return Ok(());
            }
            membership::wait(&mut self.commits, &self.clock, LOOK)?;
        }
    }

    /// Waits for something to arrive, or for a deadline.
    fn wait(&mut self) -> Result<Woken, Error> {
        if let Some(events) = self.commits.stream_events() {
            return self.wait_among_others(events);
        }
        let received = match self.commits.deadline() {
            None => self
                .inbound
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            Some(time) => self.inbound.recv_timeout(self.clock.until(time)),
        };
        match received {
            Ok(inbound) => Ok(Woken::Inbound(inbound)),
            Err(RecvTimeoutError::Timeout) => Ok(Woken::Due),
            Err(RecvTimeoutError::Disconnected) => Err(Error::ThreadGone("dispatcher")),
        }
    }

    /// The same with a stream. While too much waits for that, nothing is taken from the ROUTER, so
    /// that publishers wait instead.
    fn wait_among_others(&self, events: &Receiver<StreamEvent>) -> Result<Woken, Error> {
        let is_congested = self.commits.machine().is_congested();
        if is_congested && self.signals.stop.load(Ordering::SeqCst) {
            return Ok(Woken::Inbound(Inbound::Stop));
        }
        let due = self.commits.deadline().map(|time| self.clock.until(time));
        let patience = match due {
            Some(due) if is_congested => due.min(LOOK),
            None if is_congested => LOOK,
            Some(due) => due,
            None => Duration::MAX,
        };
        let inbound = if is_congested {
            &never()
        } else {
            &self.inbound
        };
        select! {
            recv(inbound) -> arrived => match arrived {
                Ok(inbound) => Ok(Woken::Inbound(inbound)),
                Err(_) => Err(Error::ThreadGone("dispatcher")),
            },
            recv(events) -> event => event.map(Woken::Stream).map_err(|_| Error::ThreadGone("nats")),
            default(patience) => Ok(Woken::Due),
        }
    }

    /// Takes what has arrived meanwhile, as far as one batch goes.
    fn take_more(&mut self, now: Now) -> Result<(), Error> {
        // Bounded, or members that acknowledge without a pause would keep everybody from being
        // sent anything.
        for _ in 0..INBOUND_BURSTS {
            if self.commits.is_full()
                || self.round.stopping
                || self.commits.machine().is_congested()
            {
                break;
            }
            let Ok(more) = self.inbound.try_recv() else {
                break;
            };
            self.take(now, more)?;
        }
        if self.signals.starved.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
        Ok(())
    }

    fn take(&mut self, now: Now, inbound: Inbound) -> Result<(), Error> {
        match inbound {
            Inbound::Arrivals(arrivals) => {
                for arrival in &arrivals {
                    self.commits.step(now, arrival.borrowed())?;
                }
            }
            Inbound::Operator { instruction, reply } => {
                let input = self.round.operators.input(instruction, reply);
                self.commits.step(now, input)?;
            }
            Inbound::Nudge => {}
            Inbound::Stop => {
                self.round.stopping = true;
                self.commits.step(now, Input::Stops)?;
            }
        }
        Ok(())
    }

    /// Does what the machine says, once the log has what it rests on.
    fn round(&mut self, now: Now) -> Result<(), Error> {
        let ready = self.commits.round(now)?;
        membership::stop_if_halted(&mut self.commits, &self.clock)?;
        self.pass_on(now, ready)
    }

    /// Has done what a round says.
    fn pass_on(&mut self, now: Now, ready: Ready) -> Result<(), Error> {
        let Ready {
            sends,
            is_crowded,
            closes,
            loads,
            events,
            replies,
            drained,
        } = ready;
        // Before anybody hears of it: a peer that has an answer and asks for the status finds it
        // there.
        self.ack_map.show(now.time, &mut self.commits);
        let end = self.commits.machine().visible_end();
        if std::mem::replace(&mut self.round.end, end) != end {
            self.vitals.grown(end);
        }
        if !sends.is_empty() || !closes.is_empty() {
            // The dispatcher never waits for this thread, so this wait ends.
            let sent = self.outbound.send(Outbound {
                sends,
                is_crowded,
                closes,
            });
            sent.map_err(|_| Error::ThreadGone("dispatcher"))?;
            self.waker.wake();
        }
        self.round.loads.extend(loads);
        self.load()?;
        if !events.is_empty() {
            let counters = self.commits.machine().counters();
            (self.vitals).warn_of_members(counters.joined, counters.left);
        }
        self.round.events.write(now.time, events);
        self.round.operators.answer(replies);
        if drained && !self.signals.stop.swap(true, Ordering::SeqCst) {
            log::info!("drained: finishing what was accepted meanwhile");
            self.waker.wake();
        }
        self.rounds.fetch_add(1, Ordering::Relaxed);
        Ok(self.commits.rest()?)
    }

    /// Asks the loader for what members need, as far as it has room.
    fn load(&mut self) -> Result<(), Error> {
        while let Some(&from) = self.round.loads.front() {
            match self.loads.try_send(from) {
                Ok(()) => self.round.loads.pop_front(),
                Err(TrySendError::Full(_)) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(Error::ThreadGone("loader")),
            };
        }
        Ok(())
    }
}
