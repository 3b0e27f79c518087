//! The order: what all its brokers agree on. Numbers, sessions, publishers' client sequences,
//! joining and leaving, and who owns a name.
//!
//! It changes by [`Order::apply`] alone, which is total and deterministic: no clock, no limit of
//! one broker, no iteration over a hash map. What was applied is appended to the log, and comes
//! back from there by the same functions ([`Recovered`]).

mod apply;
mod chunk;
mod cluster;
mod command;
mod cost;
mod execute;
mod journal;
mod member;
mod members;
mod publisher;
mod recovered;
mod runs;
mod seating;
mod shared;
mod snapshots;
mod state;

use self::cluster::Cluster;
use self::journal::Journal;
use self::members::Members;
use crate::wire::{Epoch, LogId, OrderNumber, PublicKey};

pub use chunk::{Chunk, OpenBatch};
pub use cluster::{Broker, Differs, Skip, Taken};
pub use command::{Command, Outcome, Rejection, Sit};
pub use journal::Write;
pub use member::{Member, Position};
pub use members::MemberId;
pub use recovered::Recovered;
pub use runs::Runs;
pub use seating::{Seat, Seating};

use super::Mutant;

/// The bounds that all brokers of an order must share, as what is applied depends on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The most bytes of one message.
    pub message_bytes: usize,
    /// The most messages in a publish frame, and that are remembered of a publisher to recognise
    /// a repeated publish by its payload and number.
    pub publish_window: u32,
    /// The most bytes of a name.
    pub name_bytes: usize,
    /// The most members, present or away.
    pub members: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Order {
    rules: Rules,
    members: Members,
    journal: Journal,
    /// Makes digests of payloads unlike those of other logs, so that no publisher can make two
    /// payloads of one digest.
    digest_seed: u64,
    /// What only several brokers share.
    cluster: Option<Box<Cluster>>,
}

impl Order {
    /// Goes on where the log ends, in the next epoch.
    #[must_use]
    pub fn resume(recovered: Recovered, rules: Rules) -> Self {
        let epoch = Epoch(recovered.epoch.0 + 1);
        let mut order = Self {
            journal: Journal::new(recovered.log_id, epoch, recovered.next),
            digest_seed: recovered.digest_seed,
            members: Members::default(),
            rules,
            cluster: None,
        };
        for mut member in recovered.into_members() {
            member.publisher.forget(order.rules.publish_window);
            let inserted = order.members.insert(member);
            debug_assert!(inserted.is_ok(), "what the log holds is by name");
        }
        order
    }

    /// Which log the order numbers belong to.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.journal.log_id()
    }

    /// Which of the log's brokers this is.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.journal.epoch()
    }

    /// The number that the next message gets.
    #[must_use]
    pub fn next(&self) -> OrderNumber {
        self.journal.next()
    }

    /// How many members there are, present or away.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The member of a name.
    #[must_use]
    pub fn by_name(&self, name: &[u8]) -> Option<MemberId> {
        self.members.by_name(name)
    }

    /// A member, unless its session has ended.
    #[must_use]
    pub fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id)
    }

    /// All members.
    pub fn members(&self) -> impl Iterator<Item = (MemberId, &Member)> {
        self.members.iter()
    }

    /// How many names a key has in use.
    #[must_use]
    pub fn names_of(&self, key: &PublicKey) -> usize {
        self.members.names_of(key)
    }

    /// Bytes of what was applied and not taken by [`take_writes`](Self::take_writes).
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.journal.len()
    }

    /// Whether something was applied and not taken by [`take_writes`](Self::take_writes).
    #[must_use]
    pub fn has_pending(&self) -> bool {
        !self.journal.is_empty()
    }

    /// What has to be appended to the log for what was applied, in this order.
    #[must_use]
    pub fn take_writes(&mut self) -> Vec<Write> {
        self.mark_position();
        let mut writes = self.journal.take();
        if Mutant::MarkTooEarly.lives() && !writes.is_empty() {
            writes.rotate_right(1);
        }
        writes
    }

    /// An encoded snapshot of all sessions that can come back.
    ///
    /// # Panics
    /// If something was applied and not taken by [`take_writes`](Self::take_writes).
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let all = self.cluster.is_some();
        let lasting = (self.members()).filter(|(_, member)| all || !member.is_transient());
        let entries: Vec<_> = if Mutant::ForgetInSnapshot.lives() {
            lasting.map(|(_, member)| member.entry()).collect()
        } else {
            lasting.map(|(_, member)| member.whole_entry()).collect()
        };
        let mut snapshot = self.journal.snapshot(&entries);
        self.mark_snapshot(&mut snapshot);
        snapshot
    }
}
