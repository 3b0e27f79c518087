//! Every bound of the broker's machine, by name.

use std::time::Duration;

use crate::core::order::Rules;
use crate::wire::Name;

/// What the broker's machine allows. The defaults serve a few hundred members.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most bytes of one message.
    pub message_bytes: usize,
    /// The most messages that a native peer may have unconfirmed, and that are remembered to
    /// recognise a repeated publish by its payload and number.
    pub publish_window: u32,
    /// The most frames in flight to a member; in the fixed dialects a frame is a message. Below
    /// libzmq's high-water mark, so that the socket never says no.
    pub window_frames: u64,
    /// The most bytes in flight to a member, unless a single message is larger.
    pub window_bytes: usize,
    /// Bytes of the newest messages that are kept in memory for members close to the head.
    pub tail_bytes: usize,
    /// Bytes of older messages, read back from the log, that are kept for those who follow.
    pub loaded_bytes: usize,
    /// Bytes of a batch after which it is closed, even if there is more to order.
    pub batch_bytes: usize,
    /// Among several brokers: bytes that wait for the stream from which on a second record is
    /// appended before the first has come back.
    pub second_append_bytes: usize,
    /// The most members, present or away.
    pub members: usize,
    /// The most bytes of a name.
    pub name_bytes: usize,
    /// The most names that one key can have in use, present or away.
    pub names_per_key: usize,
    /// The most stretches of the log that are being read at a time for members that are behind.
    pub catch_ups: usize,
    /// Sends given out together after which members are fed nothing more until the sockets have
    /// passed those on: what comes meanwhile is one frame to each of them, and not one for each
    /// round. Fewer members never notice.
    pub crowd: usize,
    /// How many bytes the member that is furthest may be behind before publishers are paced,
    pub pace_bytes: usize,
    /// if it has turned over [`window_bytes`](Self::window_bytes) within this time,
    pub pace_turn: Duration,
    /// and for how long a confirmation waits for that at most.
    pub pace_most: Duration,
    /// Time without progress after which the first unacknowledged message is sent again.
    pub resend_after: Duration,
    /// The longest that doubling `resend_after` may lead to.
    pub resend_after_most: Duration,
    /// How long what was handed to a connection may lie in its queue at most: a peer that reads
    /// nothing for so long loses its connection by libzmq's heartbeats.
    pub queue_lifetime: Duration,
    /// How old the acknowledgements in the log may be: after a crash that much is sent again.
    pub floors_every: Duration,
    /// Silence after which a native peer is asked whether it is there.
    pub ping_after: Duration,
    /// Silence after which a native peer counts as away.
    pub away_after: Duration,
    /// Time away after which a session ends; `None`: never.
    pub session_timeout: Option<Duration>,
    /// The same for a session under a name that a client has drawn for one run.
    pub drawn_name_timeout: Duration,
}

impl Limits {
    /// Those on which all brokers of an order must agree.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            message_bytes: self.message_bytes,
            publish_window: self.publish_window,
            name_bytes: self.name_bytes,
            members: self.members,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 4 << 20,
            publish_window: 8192,
            window_frames: 1000,
            window_bytes: 2 << 20,
            tail_bytes: 32 << 20,
            loaded_bytes: 16 << 20,
            batch_bytes: 1 << 20,
            second_append_bytes: 256 << 10,
            members: 100_000,
            name_bytes: Name::MAX_LEN,
            names_per_key: 64,
            catch_ups: 64,
            crowd: 256,
            pace_bytes: 4 << 20,
            pace_turn: Duration::from_millis(50),
            pace_most: Duration::from_millis(200),
            resend_after: Duration::from_millis(500),
            resend_after_most: Duration::from_secs(5),
            queue_lifetime: Duration::from_secs(150),
            floors_every: Duration::from_secs(1),
            ping_after: Duration::from_secs(15),
            away_after: Duration::from_mins(1),
            session_timeout: None,
            drawn_name_timeout: Duration::from_hours(1),
        }
    }
}
