//! The dispatcher thread: sole owner of the sockets, in both directions. It moves bytes between
//! them and two bounded channels; it decides only which peers may connect, by the access list.
//!
//! It never waits for the sequencer: when the inbound channel is full it stops reading, which
//! TCP passes on to the publishers, and goes on sending.

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;
use super::exchange::{Arrival, BURST_ARRIVALS, BURST_BYTES, Inbound, Outbound};
use super::in_process::InProcess;
use super::transport::Transport;
use super::vitals::Vitals;
use crate::core::{Outgoing, Route};
use crate::net::waker::Sleeper;

/// Bursts that are sent before the sockets are looked at again.
const SENDS_A_TURN: usize = 4;

/// Requests to the dispatcher from other threads.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// The broker is to stop.
    pub(super) stop: AtomicBool,
    /// The dispatcher waits for room in the inbound channel, and wants to be woken.
    pub(super) starved: AtomicBool,
}

/// The dispatcher thread's state.
pub(super) struct Dispatcher {
    transport: Transport,
    sleeper: Sleeper,
    signals: Arc<Signals>,
    inbound: Sender<Inbound>,
    outbound: Receiver<Outbound>,
    in_process: InProcess,
    vitals: Vitals,
    /// What could not be handed to the sequencer yet.
    waiting: Option<Inbound>,
    /// What was not delivered, to be told with the next burst.
    undelivered: Vec<Arrival>,
    stopping: bool,
}

/// What one look at a channel or socket came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Idle,
    Busy,
    Over,
}

impl Dispatcher {
    pub(super) fn new(
        transport: Transport,
        sleeper: Sleeper,
        signals: Arc<Signals>,
        (inbound, outbound, in_process): (Sender<Inbound>, Receiver<Outbound>, InProcess),
        vitals: Vitals,
    ) -> Self {
        Self {
            transport,
            sleeper,
            signals,
            inbound,
            outbound,
            in_process,
            vitals,
            waiting: None,
            undelivered: Vec::new(),
            stopping: false,
        }
    }

    /// Works until the sequencer has closed the outbound channel.
    ///
    /// # Errors
    /// Errors of the sockets themselves.
    pub(super) fn run(mut self) -> Result<(), Error> {
        let _farewell = Farewell(self.inbound.clone());
        // Whether sleep is announced, and if so, whether as one that room ends, too.
        let mut announced = None;
        loop {
            let turns = (self.send()?, self.receive()?);
            let starved = self.waiting.is_some();
            match turns {
                (Turn::Over, _) => return Ok(()),
                // Only as it was announced: a burst that finds no room at the second look would
                // otherwise wait for a wake-up that never comes.
                (Turn::Idle, Turn::Idle) if announced == Some(starved) => {
                    let receiving = !starved && !self.stopping;
                    self.transport.wait(self.sleeper.descriptor(), receiving)?;
                    self.sleeper.awake();
                    announced = None;
                }
                // Announced first, then looked once more: what comes in between wakes.
                (Turn::Idle, Turn::Idle) => {
                    self.signals.starved.store(starved, Ordering::SeqCst);
                    self.sleeper.about_to_sleep();
                    announced = Some(starved);
                }
                _ if announced.is_some() => {
                    self.sleeper.awake();
                    announced = None;
                }
                _ => {}
            }
        }
    }

    /// Sends what the sequencer wants sent.
    fn send(&mut self) -> Result<Turn, Error> {
        for sent in 0..SENDS_A_TURN {
            let outbound = match self.outbound.try_recv() {
                Ok(outbound) => outbound,
                Err(TryRecvError::Empty) if sent == 0 => return Ok(Turn::Idle),
                Err(TryRecvError::Empty) => return Ok(Turn::Busy),
                Err(TryRecvError::Disconnected) => return Ok(Turn::Over),
            };
            let Self {
                transport,
                undelivered,
                in_process,
                ..
            } = self;
            let mut failed = |route: &Route, why| {
                undelivered.push(Arrival::Undelivered {
                    to: route.clone(),
                    why,
                });
            };
            for Outgoing { to, frames, range } in outbound.sends {
                let elsewhere = in_process.divert(&to, &frames, range.clone(), &mut failed);
                transport.send(
                    elsewhere.as_ref().unwrap_or(&to),
                    &frames,
                    range,
                    &mut failed,
                )?;
            }
            for route in &outbound.closes {
                transport.close(route)?;
            }
            if outbound.is_crowded {
                transport.trace()?;
            }
        }
        Ok(Turn::Busy)
    }

    /// Hands a burst of what has arrived to the sequencer.
    fn receive(&mut self) -> Result<Turn, Error> {
        if self.waiting.is_none() {
            self.waiting = self.burst()?;
        }
        let Some(burst) = self.waiting.take() else {
            return Ok(Turn::Idle);
        };
        match self.inbound.try_send(burst) {
            Ok(()) => Ok(Turn::Busy),
            Err(TrySendError::Full(burst)) => {
                self.waiting = Some(burst);
                Ok(Turn::Idle)
            }
            // The sequencer is gone; the outbound channel tells so, too, once it is empty.
            Err(TrySendError::Disconnected(_)) => Ok(Turn::Idle),
        }
    }

    /// What has arrived since the last time, or that nothing more will.
    fn burst(&mut self) -> Result<Option<Inbound>, Error> {
        let mut arrivals = std::mem::take(&mut self.undelivered);
        if !self.stopping {
            if self.signals.stop.load(Ordering::Acquire) {
                self.stopping = true;
                return Ok(Some(Inbound::Stop));
            }
            self.take_in(&mut arrivals)?;
            if self.transport.has_left()? {
                arrivals.push(Arrival::Left);
            }
        }
        // After what was said before the end.
        arrivals.append(&mut self.transport.update_connections()?);
        self.vitals.set_connections(self.transport.connections());
        Ok((!arrivals.is_empty()).then_some(Inbound::Arrivals(arrivals)))
    }

    /// Takes from both sockets by turns, a message each: a flood at one must not starve the
    /// other. Between its connections each socket takes turns itself.
    fn take_in(&mut self, arrivals: &mut Vec<Arrival>) -> Result<(), Error> {
        let mut bytes = 0;
        let mut quiet = 0;
        let mut from_stream = false;
        while quiet < 2 && arrivals.len() < BURST_ARRIVALS && bytes < BURST_BYTES {
            let arrival = if from_stream {
                self.transport.receive_stream()?
            } else {
                self.transport.receive()?
            };
            from_stream = !from_stream;
            let Some(arrival) = arrival else {
                quiet += 1;
                continue;
            };
            quiet = 0;
            bytes += arrival.bytes();
            arrivals.push(arrival);
        }
        Ok(())
    }
}

/// Tells the sequencer that nothing more will come, however the dispatcher ends.
struct Farewell(Sender<Inbound>);

impl Drop for Farewell {
    fn drop(&mut self) {
        // An error means that the sequencer has ended already, which is all that is wanted.
        self.0.send(Inbound::Stop).ok();
    }
}
