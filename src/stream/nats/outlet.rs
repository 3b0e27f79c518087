//! The way out to the sequencer: bounded, and never waited for by what reads the network.

use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

use crate::stream::StreamEvent;

/// How long to leave the sequencer alone that takes nothing.
const RETRY: Duration = Duration::from_millis(1);

/// The sending half of the events.
#[derive(Clone)]
pub(super) struct Outlet {
    events: Sender<StreamEvent>,
}

impl Outlet {
    pub(super) fn new(events: Sender<StreamEvent>) -> Self {
        Self { events }
    }

    /// Hands an event over, waiting for room; without one who hears it, it is dropped.
    pub(super) async fn say(&self, event: StreamEvent) {
        let mut event = event;
        loop {
            match self.events.try_send(event) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
                Err(TrySendError::Full(back)) => event = back,
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Hands a tail over if there is ample room. One that is left out is fetched later, and what
    /// else there is to say must get through.
    pub(super) fn say_tail(&self, event: StreamEvent) {
        let most = self.events.capacity().map_or(usize::MAX, |all| all / 2);
        if self.events.len() < most
            && let Err(TrySendError::Full(_)) = self.events.try_send(event)
        {
            log::debug!("a record of the tail was left out: it will be fetched");
        }
    }
}
