//! Messages on their way from the application to the client's thread.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::error::Stop;
use crate::wire::ClientSequence;

/// Bounds of what waits here, besides what the machine keeps until it is confirmed.
const MESSAGES: usize = 8192;
const BYTES: usize = 4 << 20;

/// A bounded queue that gives each message its client sequence as it enters.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
    /// Signalled when there is room again, or never will be.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Vec<u8>>,
    bytes: usize,
    last: ClientSequence,
    stop: Option<Stop>,
}

impl Outbox {
    /// The next message gets the client sequence after this one.
    pub(super) fn begin_after(&self, last: ClientSequence) {
        self.lock().last = last;
    }

    /// The last client sequence that was given out.
    pub(super) fn last(&self) -> ClientSequence {
        self.lock().last
    }

    /// Waits for room and takes a message in. `register` is told its client sequence before
    /// anything can happen to it.
    pub(super) fn push(
        &self,
        message: Vec<u8>,
        register: impl FnOnce(ClientSequence),
    ) -> Result<ClientSequence, Stop> {
        let mut state = self.lock();
        loop {
            if let Some(stop) = &state.stop {
                return Err(stop.clone());
            }
            let has_room = state.queue.len() < MESSAGES && state.bytes + message.len() <= BYTES;
            if has_room || state.queue.is_empty() {
                break;
            }
            state = self
                .room
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.last.0 += 1;
        register(state.last);
        state.bytes += message.len();
        state.queue.push_back(message);
        Ok(state.last)
    }

    /// Takes everything out, into `into`, which is empty.
    pub(super) fn take(&self, into: &mut VecDeque<Vec<u8>>) {
        let mut state = self.lock();
        if state.queue.is_empty() {
            return;
        }
        std::mem::swap(&mut state.queue, into);
        state.bytes = 0;
        drop(state);
        self.room.notify_all();
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().queue.is_empty()
    }

    /// Nothing is taken in any more.
    pub(super) fn stop(&self, stop: Stop) {
        self.lock().stop.get_or_insert(stop);
        self.room.notify_all();
    }

    /// A lock that was poisoned guards nothing that a panic could have left half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
