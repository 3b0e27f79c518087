//! Peers of the binary and the JSON dialect, as pyzmq programs are: one frame and one ACK a
//! message.
//!
//! Who speaks is a member, so publishers receive, check the order of and acknowledge everything,
//! too; a message of theirs is confirmed when it comes back. They give themselves no routing id:
//! nothing of them stays on a broker that was there before.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;

use orden::wire::{Acked, OrderNumber, binary, json};

use super::dealer::Dealer;
use super::{Link, Patience, Publish, Who};
use crate::bench::error::Error;

/// Messages that a publisher may have unconfirmed.
const WINDOW: u64 = 4096;

/// How a dialect's frames are written.
pub(crate) trait Words {
    fn message(payload: &[u8], into: &mut Vec<u8>);
    fn acknowledge(
        order: OrderNumber,
        send: impl FnOnce(&[u8]) -> Result<bool, Error>,
    ) -> Result<bool, Error>;
    fn delivery(frame: &[u8]) -> Result<(OrderNumber, Cow<'_, [u8]>), Error>;
}

/// The place of a peer's own number, which no peer reads.
const NO_ORDER: OrderNumber = OrderNumber(0);

/// The binary dialect.
pub(crate) struct Binary;

impl Words for Binary {
    fn message(payload: &[u8], into: &mut Vec<u8>) {
        binary::encode_message(NO_ORDER, [payload, b"", b""], into);
    }

    fn acknowledge(
        order: OrderNumber,
        send: impl FnOnce(&[u8]) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        send(&binary::encode_ack(Acked::UpTo(order)))
    }

    fn delivery(frame: &[u8]) -> Result<(OrderNumber, Cow<'_, [u8]>), Error> {
        let (order, payload) = binary::decode_delivery(frame).map_err(unreadable)?;
        Ok((order, payload.into()))
    }
}

/// The JSON dialect.
pub(crate) struct Json;

impl Words for Json {
    fn message(payload: &[u8], into: &mut Vec<u8>) {
        // Stamps for this dialect are text, so nothing has to be replaced.
        let _exact = json::encode_message(NO_ORDER, [payload, b"", b""], into);
    }

    fn acknowledge(
        order: OrderNumber,
        send: impl FnOnce(&[u8]) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        send(&json::encode_ack(Acked::UpTo(order)))
    }

    fn delivery(frame: &[u8]) -> Result<(OrderNumber, Cow<'_, [u8]>), Error> {
        let (order, payload) = json::decode_delivery(frame).map_err(unreadable)?;
        let payload = match payload {
            Cow::Borrowed(text) => text.as_bytes().into(),
            Cow::Owned(text) => text.into_bytes().into(),
        };
        Ok((order, payload))
    }
}

fn unreadable(error: orden::wire::DecodeError) -> Error {
    Error::Peer(format!("the broker sent what cannot be read: {error}"))
}

/// A member that speaks a fixed dialect.
pub(crate) struct Fixed<W> {
    dealer: Dealer,
    frame: Vec<u8>,
    /// What it says to become a member: once it comes back, the peer is one.
    introduction: Vec<u8>,
    ready: bool,
    /// What its own messages begin with.
    mark: Vec<u8>,
    /// The number that comes next; none before the first.
    expected: Option<OrderNumber>,
    unconfirmed: u64,
    words: PhantomData<W>,
}

impl<W: Words> Link for Fixed<W> {
    type Home = zmq::Context;

    fn open(context: &zmq::Context, who: &Who) -> Result<Self, Error> {
        let introduction = format!("{} is here", who.name()).into_bytes();
        let mut frame = Vec::new();
        W::message(&introduction, &mut frame);
        Ok(Self {
            dealer: Dealer::open(context, who, &frame)?,
            frame,
            introduction,
            ready: false,
            mark: who.mark.clone(),
            expected: None,
            unconfirmed: 0,
            words: PhantomData,
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
        let (order, payload) = W::delivery(frame)?;
        if self.expected.is_some_and(|expected| order > expected) {
            // What is missing comes again, with everything after it.
            return Ok(true);
        }
        if self.expected.is_none_or(|expected| order == expected) {
            self.expected = Some(order.plus(1));
            self.ready |= *payload == self.introduction[..];
            self.unconfirmed -= u64::from(self.unconfirmed > 0 && payload.starts_with(&self.mark));
            deliver(order.0, &payload);
        }
        // One that does not leave now is made good by the next, or by a resend.
        W::acknowledge(order, |frame| self.dealer.send(frame))?;
        Ok(true)
    }

    fn close(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

impl<W: Words> Publish for Fixed<W> {
    fn publish(&mut self, payload: &[u8]) -> Result<bool, Error> {
        if self.unconfirmed >= WINDOW {
            return Ok(false);
        }
        self.frame.clear();
        W::message(payload, &mut self.frame);
        let taken = self.dealer.publish(&self.frame)?;
        self.unconfirmed += u64::from(taken);
        Ok(taken)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn unconfirmed(&self) -> u64 {
        self.unconfirmed
    }

    fn is_open(&self) -> bool {
        self.unconfirmed < WINDOW && !self.dealer.is_blocked()
    }
}
