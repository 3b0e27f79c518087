//! Everything that a peer can say to the broker, whatever dialect it speaks.

use std::borrow::Cow;

use super::native::{Goodbye, Hello, Publish};
use super::numbers::OrderNumber;

/// How far a peer says it holds the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acked {
    /// Nothing: a program that has just started.
    Nothing,
    /// Everything up to and including this number.
    UpTo(OrderNumber),
}

/// Everything that a peer can say to the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// An entirely empty message, as `ZMQ_PROBE_ROUTER` sends it: "I am here".
    Probe,
    /// A payload to order, in a fixed dialect: opaque bytes, `name: text` by convention.
    Text(Cow<'a, [u8]>),
    /// A cumulative acknowledgement.
    Ack(Acked),
    /// A native peer names itself and says where its deliveries begin.
    Hello(Hello),
    /// Messages to order, in the native dialect.
    Publish(Publish<'a>),
    /// A native peer goes.
    Goodbye(Goodbye),
    /// "Are you there?"; answered by a pong.
    Ping,
    /// The answer to a ping.
    Pong,
}
