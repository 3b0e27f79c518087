//! The sequencer thread: drives the machine with what arrives, and does what it says, in the one
//! order that keeps the promise: append, sync, then let anybody know.
//!
//! Whatever arrives while a sync runs is the next batch (group commit), so the slower the disk,
//! the larger the batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError};

use super::Error;
use super::ack_map::AckMap;
use super::config::Sync;
use super::dispatcher::Signals;
use super::event_log::EventLog;
use super::exchange::{Arrival, INBOUND_BURSTS, Inbound, Outbound};
use crate::core::{Input, Now, Packet, Ready, Sequencer, Time, Write};
use crate::net::Clock;
use crate::net::waker::Waker;
use crate::store::{self, Log};
use crate::wire::{Name, OrderNumber, batch, record};

/// What the sequencer thread works with.
pub(super) struct Driver {
    pub(super) machine: Sequencer,
    pub(super) log: Box<dyn Log>,
    pub(super) sync: Sync,
    pub(super) clock: Clock,
    pub(super) inbound: Receiver<Inbound>,
    pub(super) outbound: Sender<Outbound>,
    pub(super) loads: Sender<OrderNumber>,
    pub(super) waker: Waker,
    pub(super) signals: Arc<Signals>,
    pub(super) ack_map: AckMap,
    pub(super) round: Round,
}

/// What is carried from one round to the next.
#[derive(Default)]
pub(super) struct Round {
    /// Stretches to ask for as soon as the loader has room.
    loads: VecDeque<OrderNumber>,
    /// When what is written but not synced is to be.
    sync_at: Option<Time>,
    events: EventLog,
    stopping: bool,
    /// Whether the log has said that there is no space for another segment.
    full: bool,
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
            log,
            ..
        } = self;
        drop(outbound);
        waker.wake();
        result?;
        Ok(log.close()?)
    }

    fn work(&mut self) -> Result<(), Error> {
        self.make_room()?;
        let now = self.clock.now_with_wall();
        self.flush(now)?;
        while !self.round.stopping {
            let first = self.wait()?;
            if self.round.full {
                // There may be space since the last round, and whoever speaks first would not be
                // told why it is refused, or not at all.
                self.make_room()?;
            }
            let now = self.clock.now_with_wall();
            if let Some(first) = first {
                self.take(now, first);
                self.take_more(now);
            }
            self.machine.step(now, Input::Tick);
            self.flush(now)?;
        }
        let writes = self.machine.last_writes();
        self.write(self.clock.now_with_wall(), &writes)
    }

    /// Waits for something to arrive, or for a deadline.
    fn wait(&mut self) -> Result<Option<Inbound>, Error> {
        let deadlines = self
            .machine
            .deadline()
            .into_iter()
            .chain(self.round.sync_at);
        let received = match deadlines.min() {
            None => self
                .inbound
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
            Some(time) => self.inbound.recv_timeout(self.clock.until(time)),
        };
        match received {
            Ok(inbound) => Ok(Some(inbound)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Error::ThreadGone("dispatcher")),
        }
    }

    /// Takes what has arrived meanwhile, as far as one batch goes.
    fn take_more(&mut self, now: Now) {
        let enough = self.machine.limits().batch_bytes;
        // Bounded, or those who acknowledge without a pause would keep everybody from being sent
        // anything.
        for _ in 0..INBOUND_BURSTS {
            if self.machine.pending_bytes() >= enough || self.round.stopping {
                break;
            }
            let Ok(more) = self.inbound.try_recv() else {
                break;
            };
            self.take(now, more);
        }
        if self.signals.starved.swap(false, Ordering::SeqCst) {
            self.waker.wake();
        }
    }

    fn take(&mut self, now: Now, inbound: Inbound) {
        match inbound {
            Inbound::Arrivals(arrivals) => {
                for arrival in &arrivals {
                    self.machine.step(now, input(arrival));
                }
            }
            Inbound::Loaded { from, result } => {
                self.machine.step(now, Input::Loaded { from, result });
            }
            Inbound::Grants(grants) => self.machine.step(now, Input::Grants(grants)),
            Inbound::Stop => self.round.stopping = true,
        }
    }

    /// Does what the machine says: first write, then send.
    fn flush(&mut self, now: Now) -> Result<(), Error> {
        let Ready {
            writes,
            sends,
            closes,
            loads,
            events,
        } = self.machine.ready(now);
        self.write(now, &writes)?;
        // Before anybody hears of it: whoever has an answer and asks for the status finds it there.
        self.ack_map.show(&mut self.machine);
        if !sends.is_empty() || !closes.is_empty() {
            // The dispatcher never waits for this thread, so this wait ends.
            let sent = self.outbound.send(Outbound { sends, closes });
            sent.map_err(|_| Error::ThreadGone("dispatcher"))?;
            self.waker.wake();
        }
        self.round.loads.extend(loads);
        self.load()?;
        self.round.events.write(now.time, events);
        self.make_room()
    }

    fn write(&mut self, now: Now, writes: &[Write]) -> Result<(), Error> {
        if !writes.is_empty() {
            for write in writes {
                match write {
                    Write::Sessions(sessions) => self.log.append_sessions(sessions)?,
                    Write::Messages(chunk) => self.log.append(chunk)?,
                }
            }
            match self.sync {
                Sync::Always => self.sync()?,
                Sync::Every(period) => {
                    self.log.publish()?;
                    self.round.sync_at.get_or_insert(now.time + period);
                }
                Sync::Never => self.log.publish()?,
            }
        }
        if self.round.sync_at.is_some_and(|at| at <= now.time) {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.round.sync_at = None;
        self.log.sync()?;
        self.machine.synced();
        Ok(())
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

    /// Goes over to the next segment of the log before the current one is too full for what one
    /// round can bring. Only a full disk makes messages be refused: a slow one is waited for.
    fn make_room(&mut self) -> Result<(), Error> {
        let needed = self.most_in_a_round();
        let spare = needed;
        if self.log.room() < needed + spare {
            let mut rolled = self.log.can_roll();
            if matches!(rolled, Ok(false)) && self.log.room() < needed {
                rolled = self.log.await_roll().map(|()| true);
            }
            match rolled {
                Ok(true) => self.roll()?,
                Ok(false) => {}
                Err(store::Error::NoSpace(error)) => {
                    if !std::mem::replace(&mut self.round.full, true) {
                        log::error!("no space for the log, new messages are refused: {error}");
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.machine.set_room(self.log.room());
        Ok(())
    }

    fn roll(&mut self) -> Result<(), Error> {
        let snapshot = self.machine.snapshot();
        self.log.roll(&snapshot)?;
        self.machine.synced();
        self.machine.set_oldest(self.log.oldest());
        if std::mem::take(&mut self.round.full) {
            log::info!("there is space for the log again");
        }
        Ok(())
    }

    /// Bytes that one round can add to the log: a batch, one message more, and some entries of
    /// sessions.
    fn most_in_a_round(&self) -> usize {
        let limits = self.machine.limits();
        let overhead = batch::HEADER_LEN + record::HEADER_LEN + Name::MAX_LEN;
        2 * limits.batch_bytes + limits.message_bytes + overhead
    }
}

/// What has arrived, in the machine's words.
fn input(arrival: &Arrival) -> Input<'_> {
    match arrival {
        Arrival::Packet {
            id,
            delimited,
            body,
            excess,
            proof,
        } => Input::Packet(Packet {
            id,
            delimited: *delimited,
            body,
            excess: *excess,
            proof: *proof,
        }),
        Arrival::Connected { id, name } => Input::Connected { id, name },
        Arrival::Bytes { id, bytes } => Input::Bytes { id, bytes },
        Arrival::Disconnected { id } => Input::Disconnected { id },
        Arrival::Refused(reason) => Input::Refused(reason),
        Arrival::Undelivered { to, why } => Input::Undelivered { to, why: *why },
    }
}
