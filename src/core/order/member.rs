//! What all brokers of an order agree on about one member.

use super::publisher::Publisher;
use super::seating::Seating;
use crate::wire::position_mark::SeatEntry;
use crate::wire::sessions::SessionEntry;
use crate::wire::{ClientSequence, Dialect, Name, OrderNumber, PublicKey};

/// A member of the order, wherever it is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    name: Name,
    /// Whether it lives as long as its connection: nobody could come back to it, so the log
    /// keeps nothing of it.
    transient: bool,
    /// The key that it was last spoken for with; `None` without keys.
    pub(super) key: Option<PublicKey>,
    pub(super) position: Position,
    pub(super) publisher: Publisher,
    pub(super) seating: Seating,
}

/// How far a member is and how it is spoken to: what the log is told from time to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// What it last spoke.
    pub dialect: Dialect,
    /// Whether it puts an empty frame before its messages, and so wants one before ours.
    pub delimited: bool,
    /// The first number that it has not acknowledged.
    pub floor: OrderNumber,
    /// When it was last heard, in microseconds since 1970 (UTC), or if it is away for how many
    /// microseconds it was while brokers ran.
    pub heard: u64,
    /// Whether it is away.
    pub away: bool,
}

impl Member {
    pub(super) fn new(name: Name, transient: bool, position: Position) -> Self {
        Self {
            name,
            transient,
            key: None,
            position,
            publisher: Publisher::default(),
            seating: Seating::default(),
        }
    }

    /// A member as an entry of the log describes it.
    pub(super) fn of(entry: &SessionEntry) -> Self {
        let mut member = Self::new(entry.name.clone(), false, Position::of(entry));
        member.publisher = Publisher::of(entry);
        member
    }

    /// The same member as a newer entry of the log describes it.
    pub(super) fn changed(self, entry: &SessionEntry) -> Self {
        let mut member = Self::of(entry);
        member.transient = self.transient;
        member.key = self.key;
        member.seating = self.seating;
        if entry.digests.is_empty() {
            member.publisher = self.publisher;
        }
        member
    }

    /// Takes what the log says of its seat.
    pub(super) fn take_seat(&mut self, entry: &SeatEntry) {
        self.transient = entry.transient;
        self.key = entry.key;
        self.seating = Seating::of(entry);
    }

    /// What the log keeps of its seat.
    pub(super) fn seat_entry(&self) -> Option<SeatEntry> {
        let seat = self.seating.seat.unwrap_or_default();
        Some(SeatEntry {
            name: self.name.clone(),
            transient: self.transient,
            home: self.seating.home.clone()?,
            writer: seat.writer,
            seat: seat.number,
            life: self.seating.life,
            attempt: self.seating.attempt,
            away_since: self.seating.away_since,
            key: self.key,
        })
    }

    /// What the log keeps of it. What is remembered of its publishing follows from its messages,
    /// and is added for snapshots only.
    pub(super) fn entry(&self) -> SessionEntry {
        SessionEntry {
            name: self.name.clone(),
            member: true,
            dialect: self.position.dialect,
            delimited: self.position.delimited,
            floor: self.position.floor,
            heard: self.position.heard,
            away: self.position.away,
            last_sequence: self.publisher.last(),
            runs: Vec::new(),
            digests: Vec::new(),
        }
    }

    /// The same with all that is remembered of its publishing.
    pub(super) fn whole_entry(&self) -> SessionEntry {
        let mut entry = self.entry();
        self.publisher.describe(&mut entry);
        entry
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether its session ends with its connection.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// The key that it was last spoken for with.
    #[must_use]
    pub fn key(&self) -> Option<PublicKey> {
        self.key
    }

    /// Where it sits, when several brokers serve the order.
    #[must_use]
    pub fn seating(&self) -> &Seating {
        &self.seating
    }

    /// What the log was last told of it.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// The last of its client sequences that was ordered.
    #[must_use]
    pub fn last_sequence(&self) -> ClientSequence {
        self.publisher.last()
    }
}

impl Position {
    pub(super) fn of(entry: &SessionEntry) -> Self {
        Self {
            dialect: entry.dialect,
            delimited: entry.delimited,
            floor: entry.floor,
            heard: entry.heard,
            away: entry.away,
        }
    }
}
