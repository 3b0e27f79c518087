//! The layouts of the native dialect's frames from peers.

use crate::wire::fields::Field;

/// The first byte of every native frame. No frame of another dialect begins with it: the binary
/// dialect's begin with 0x00 or 0xFF, a JSON object's with `{` or white space.
pub const MAGIC: u8 = b'O';
/// The version of the dialect, the second byte.
pub const VERSION: u8 = 1;

/// The third byte of the frames in this file. Those of the broker's are in [`crate::wire::reply`].
pub mod kind {
    /// Names the peer and opens its session.
    pub const HELLO: u8 = 0x01;
    /// Messages to order.
    pub const PUBLISH: u8 = 0x02;
    /// Everything up to a number has been delivered.
    pub const ACK: u8 = 0x03;
    /// The peer goes.
    pub const GOODBYE: u8 = 0x04;
    /// Either side asks whether the other is there.
    pub const PING: u8 = 0x05;
    /// The answer.
    pub const PONG: u8 = 0x06;
}

/// The layouts of the frames in this file, each stated once.
pub mod field {
    use super::Field;

    /// [`super::MAGIC`].
    pub const MAGIC: Field = 0..1;
    /// [`super::VERSION`].
    pub const VERSION: Field = 1..2;
    /// [`super::kind`], or one of those in [`crate::wire::reply`].
    pub const KIND: Field = 2..3;
    /// Bits that a kind gives a meaning; the others are zero.
    pub const OPTIONS: Field = 3..4;

    /// A [`super::super::Hello`]; the name follows.
    pub mod hello {
        use super::Field;
        /// How to read [`NUMBER`]: see [`super::super::start`].
        pub const START: Field = 4..5;
        /// Zero.
        pub const RESERVED: Field = 5..7;
        /// Bytes of the name.
        pub const NAME_LENGTH: Field = 7..8;
        /// An order number or a count, or 0, as `START` says.
        pub const NUMBER: Field = 8..16;
        /// The log that the peer has seen; 0 for none.
        pub const LOG_ID: Field = 16..24;
        /// Of what follows the name with [`super::super::HELLO_ATTEMPT`]: the client's life.
        pub const LIFE: Field = 0..8;
        /// And which of its connections this is.
        pub const ATTEMPT: Field = 8..12;
    }

    /// A [`super::super::Publish`]; the messages follow.
    pub mod publish {
        use super::Field;
        /// How many messages.
        pub const COUNT: Field = 4..8;
        /// The client sequence of the first.
        pub const SEQUENCE: Field = 8..16;
        /// Bytes of the payload, before each message.
        pub const MESSAGE_LENGTH: Field = 0..4;
    }

    /// An ACK.
    pub mod ack {
        use super::Field;
        /// Zero.
        pub const RESERVED: Field = 4..8;
        /// Everything up to and including this number is delivered.
        pub const ORDER: Field = 8..16;
    }
}

/// What a hello says of its number, and so where deliveries begin: see [`super::Start`].
pub mod start {
    /// [`super::super::Start::Now`].
    pub const NOW: u8 = 0;
    /// [`super::super::Start::Beginning`].
    pub const BEGINNING: u8 = 1;
    /// [`super::super::Start::At`].
    pub const AT: u8 = 2;
    /// [`super::super::Start::Last`].
    pub const LAST: u8 = 3;
    /// [`super::super::Start::Resume`].
    pub const RESUME: u8 = 4;
}

/// Bytes before what a kind has of its own.
pub const PREFIX_LEN: usize = 4;
/// Bytes of a hello before its name.
pub const HELLO_LEN: usize = 24;
/// Option of a hello: the peer wants deliveries, not only to publish.
pub const HELLO_RECEIVE: u8 = 1;
/// Option of a hello: an [`super::Attempt`] follows the name.
pub const HELLO_ATTEMPT: u8 = 2;
/// Option of a hello: the peer reads without joining.
pub const HELLO_OBSERVE: u8 = 4;
/// Bytes of an attempt.
pub const ATTEMPT_LEN: usize = 12;
/// Bytes of a publish frame before its first message.
pub const PUBLISH_LEN: usize = 16;
/// Bytes before each message of a publish frame.
pub const PUBLISH_MESSAGE_LEN: usize = 4;
/// Bytes of an ACK.
pub const ACK_LEN: usize = 16;
/// Option of a goodbye: the session stays, for the peer to come back to.
pub const GOODBYE_KEEP: u8 = 1;

/// The four bytes that every native frame begins with.
pub(in crate::wire) fn prefix(kind: u8, options: u8) -> Vec<u8> {
    vec![MAGIC, VERSION, kind, options]
}
