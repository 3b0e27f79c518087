//! One name's session: what is known of it, and who waits for what.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::wire::native::{Hello, Start};
use crate::wire::{LogId, Name};

/// A request that waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket(pub(super) u64);

/// The session of a name that posts.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: u64,
    /// The last sequence that was ordered; `None` until the broker has answered the hello.
    pub(super) last: Option<u64>,
    /// Which page has the name.
    pub(super) claim: Option<String>,
    /// Who waits for it to be open, and since when.
    pub(super) joins: Vec<(Ticket, Duration)>,
    /// Messages that wait for their numbers, by sequence.
    pub(super) posts: BTreeMap<u64, Post>,
    pub(super) used: Duration,
}

/// A message that waits for its number.
#[derive(Debug)]
pub(super) struct Post {
    /// Who has posted it first.
    pub(super) first: Ticket,
    /// The requests that wait for it; none, if they have ended.
    pub(super) tickets: Vec<Ticket>,
    pub(super) payload: Bytes,
    since: Duration,
}

impl Post {
    pub(super) fn new(since: Duration, first: Ticket, payload: Bytes) -> Self {
        Self {
            first,
            tickets: vec![first],
            payload,
            since,
        }
    }
}

impl Session {
    pub(super) fn new(connection: u64, used: Duration) -> Self {
        Self {
            connection,
            last: None,
            claim: None,
            joins: Vec::new(),
            posts: BTreeMap::new(),
            used,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.joins.is_empty() || !self.posts.is_empty()
    }

    /// Whether anything has waited since before this moment.
    pub(super) fn waits_since(&self, moment: Duration) -> bool {
        let joins = self.joins.iter().map(|(_, since)| *since);
        let posts = self.posts.values().map(|post| post.since);
        joins.chain(posts).any(|since| since < moment)
    }

    /// Takes the messages that are meant.
    pub(super) fn take(&mut self, is_meant: impl Fn(u64) -> bool) -> Vec<(u64, Post)> {
        self.posts
            .extract_if(.., |&sequence, _| is_meant(sequence))
            .collect()
    }

    /// Takes all that wait, and forgets what for.
    pub(super) fn take_tickets(&mut self) -> Vec<Ticket> {
        let joins = self.joins.drain(..).map(|(ticket, _)| ticket);
        let posts = std::mem::take(&mut self.posts).into_values();
        joins.chain(posts.flat_map(|post| post.tickets)).collect()
    }
}

/// What opens the session of a name that only publishes.
pub(super) fn hello(name: &Name) -> Vec<u8> {
    Hello {
        name: name.clone(),
        start: Start::Now,
        receive: false,
        observe: false,
        log_id: LogId(0),
        attempt: None,
    }
    .encode()
}
