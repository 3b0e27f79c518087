//! What a participant wants, and every bound of its machine, by name.

use std::time::Duration;

use crate::wire::native::Start;
use crate::wire::{ClientSequence, Epoch, LogId, Name};

/// Who a participant is and how it takes part.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of its session.
    pub name: Name,
    /// Where its deliveries begin.
    pub start: Start,
    /// The log that a position in `start` refers to; 0 if that is not known.
    pub log_id: LogId,
    /// The last epoch of that log that is known of; 0 for none. A broker whose epoch is lower has
    /// an older copy of the log: its numbers may stand for other messages, so it is not followed.
    pub epoch: Epoch,
    /// What to do where the broker does not know the name.
    pub unknown: Unknown,
    /// Whether it wants deliveries at all, or only publishes.
    pub receive: bool,
    /// Whether it reads without joining: it has no session, no notice tells of it, and it
    /// publishes nothing. Then `receive` and `numbering` have no effect.
    pub observe: bool,
    /// Which deliveries are acknowledged.
    pub acknowledging: Acknowledging,
    /// Which client sequences its messages get.
    pub numbering: Numbering,
    /// Drawn at random, if there are several brokers of one order to go to: with the number of its
    /// connection it tells a hello of its own that is ordered late. Then the participant gives up
    /// a broker that is silent, or goes down, as another one has all that it needs.
    pub life: Option<u64>,
}

impl Settings {
    /// A participant that gets what is ordered from now on, acknowledges what it has got, and
    /// goes on with the client sequences of its session.
    #[must_use]
    pub fn new(name: Name) -> Self {
        Self {
            name,
            start: Start::Now,
            log_id: LogId(0),
            epoch: Epoch(0),
            unknown: Unknown::Join,
            receive: true,
            observe: false,
            acknowledging: Acknowledging::OnDelivery,
            numbering: Numbering::GoOn,
            life: None,
        }
    }
}

/// What a participant does whose name the broker does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Begins a session.
    Join,
    /// Ends with [`Ending::UnknownName`](super::Ending::UnknownName), and takes back the session
    /// that its hello has begun: what an earlier one has published is not known any more.
    Refuse,
}

/// When a delivery counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledging {
    /// As soon as it is handed out. What is lost between that and its processing, in a crash of
    /// the application, is not delivered again.
    OnDelivery,
    /// When the application says that it has processed it.
    ByApplication,
}

/// Which client sequence the first message gets; the others follow without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbering {
    /// The one after the session's last.
    GoOn,
    /// This one: the application repeats what it said before a crash, in the same order, and
    /// what the broker has ordered already is not ordered again. That is known as long as the
    /// session lives; with [`Settings::log_id`] set, one that has ended in between is noticed.
    From(ClientSequence),
}

/// What the participant's machine allows itself.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes delivered after which they are acknowledged: a quarter of the broker's window, so
    /// that it never closes while the acknowledgement is under way.
    pub ack_bytes: usize,
    /// Frames delivered after which they are acknowledged, likewise.
    pub ack_frames: u32,
    /// Messages delivered after which they are acknowledged.
    pub ack_messages: u64,
    /// The longest that an acknowledgement waits for more to acknowledge.
    pub ack_delay: Duration,
    /// The most bytes of a publish frame, unless one message is larger.
    pub frame_bytes: usize,
    /// The most messages of a publish frame.
    pub frame_messages: u32,
    /// The most bytes of messages that wait for confirmation, unless one message is larger.
    pub unconfirmed_bytes: usize,
    /// Time without a confirmation after which the first unconfirmed frame is sent again.
    pub publish_retry: Duration,
    /// The longest that doubling `publish_retry` may lead to.
    pub publish_retry_most: Duration,
    /// How long publishing rests after the broker's disk was full.
    pub no_space_retry: Duration,
    /// The longest that doubling `no_space_retry` may lead to.
    pub no_space_retry_most: Duration,
    /// The least time between two hellos.
    pub hello_least: Duration,
    /// Time without an answer after which hello is said again.
    pub hello_retry: Duration,
    /// The longest that doubling `hello_retry` may lead to.
    pub hello_retry_most: Duration,
    /// The least time between two reports of the same obstacle, while there is no session.
    pub obstacle_again: Duration,
    /// Silence after which the broker is asked whether it is there.
    pub ping_after: Duration,
    /// Silence after which the connection counts as dead.
    pub stale_after: Duration,
    /// `ping_after` where there are other brokers to go to.
    pub ping_elsewhere: Duration,
    /// `stale_after` where there are other brokers to go to.
    pub stale_elsewhere: Duration,
    /// Hellos without an answer after which a broker is given up, where there are others.
    pub hellos_elsewhere: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ack_bytes: 512 << 10,
            ack_frames: 250,
            ack_messages: 1000,
            ack_delay: Duration::from_millis(50),
            frame_bytes: 256 << 10,
            frame_messages: 1024,
            unconfirmed_bytes: 8 << 20,
            publish_retry: Duration::from_secs(2),
            publish_retry_most: Duration::from_secs(20),
            no_space_retry: Duration::from_millis(500),
            no_space_retry_most: Duration::from_secs(10),
            hello_least: Duration::from_millis(50),
            hello_retry: Duration::from_secs(1),
            hello_retry_most: Duration::from_secs(10),
            obstacle_again: Duration::from_mins(10),
            ping_after: Duration::from_secs(10),
            stale_after: Duration::from_secs(40),
            ping_elsewhere: Duration::from_secs(2),
            stale_elsewhere: Duration::from_secs(5),
            hellos_elsewhere: 2,
        }
    }
}
