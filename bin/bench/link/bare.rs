//! libzmq alone: DEALER peers of a loop around a ROUTER, see [`super::super::bare_loop`].
//!
//! A frame of one byte introduces a peer or is the answer to that. Any other is one message, or
//! with `--batch` several, each after its length (4 bytes, big-endian).

use std::time::Duration;

use super::dealer::Dealer;
use super::{Link, Patience, Publish, Role, Who};
use crate::bench::error::Error;

/// Introduces a publisher.
pub(crate) const PUBLISHER: &[u8] = b"p";
/// Introduces a subscriber.
pub(crate) const SUBSCRIBER: &[u8] = b"s";
/// The loop's answer to both.
pub(crate) const TAKEN_IN: &[u8] = b"!";

const LENGTH_LEN: usize = 4;

/// One of the loop's peers.
pub(crate) struct Bare {
    dealer: Dealer,
    ready: bool,
    /// Messages in a frame.
    batch: usize,
    packed: Vec<u8>,
    packed_count: usize,
}

impl Bare {
    /// Packs so many messages in a frame.
    pub(crate) fn set_batch(&mut self, batch: usize) {
        self.batch = batch;
    }
}

impl Link for Bare {
    type Home = zmq::Context;

    fn open(context: &zmq::Context, who: &Who) -> Result<Self, Error> {
        let introduction = match who.role {
            Role::Publisher => PUBLISHER,
            Role::Subscriber | Role::Stalled => SUBSCRIBER,
        };
        Ok(Self {
            dealer: Dealer::open(context, who, introduction)?,
            ready: false,
            batch: 1,
            packed: Vec::new(),
            packed_count: 0,
        })
    }

    fn is_ready(&self) -> bool {
        self.ready
    }

    fn wait<'a>(
        links: impl Iterator<Item = (&'a Self, Patience)> + Clone,
        timeout: Duration,
        ready: &mut Vec<usize>,
    ) -> Result<(), Error>
    where
        Self: 'a,
    {
        let dealers = links.map(|(link, patience)| (&link.dealer, patience));
        Dealer::wait(dealers, timeout, ready)
    }

    fn begin(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn take(&mut self, deliver: &mut impl FnMut(u64, &[u8])) -> Result<bool, Error> {
        let Some(frame) = self.dealer.receive()? else {
            return Ok(false);
        };
        if frame == TAKEN_IN {
            self.ready = true;
        } else if self.batch == 1 {
            deliver(0, frame);
        } else {
            let mut rest = frame;
            while let Some((length, after)) = rest.split_first_chunk::<LENGTH_LEN>() {
                let length = u32::from_be_bytes(*length) as usize;
                let Some((message, after)) = after.split_at_checked(length) else {
                    return Err(Error::Peer("a frame was cut on its way".to_owned()));
                };
                deliver(0, message);
                rest = after;
            }
        }
        Ok(true)
    }

    fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl Publish for Bare {
    fn publish(&mut self, payload: &[u8]) -> Result<bool, Error> {
        if self.batch == 1 {
            return self.dealer.publish(payload);
        }
        if self.packed_count == self.batch {
            self.flush()?;
            if self.packed_count > 0 {
                return Ok(false);
            }
        }
        let length = u32::try_from(payload.len()).expect("the size of a message is limited");
        self.packed.extend_from_slice(&length.to_be_bytes());
        self.packed.extend_from_slice(payload);
        self.packed_count += 1;
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Error> {
        if self.packed_count > 0 && self.dealer.publish(&self.packed)? {
            self.packed.clear();
            self.packed_count = 0;
        }
        Ok(())
    }

    fn unconfirmed(&self) -> u64 {
        self.packed_count as u64
    }

    fn is_open(&self) -> bool {
        !self.dealer.is_blocked()
    }
}
