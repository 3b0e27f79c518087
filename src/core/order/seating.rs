//! Where a member sits, when several brokers serve one order.

use crate::core::Mutant;
use crate::wire::position_mark::SeatEntry;
use crate::wire::{Name, Position, Writer};

/// A name for one of a broker's connections: what it asks for counts only while its member sits
/// there. The broker that is alone has the writer 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seat {
    /// The broker's process.
    pub writer: Writer,
    /// Which of its connections.
    pub number: u32,
}

/// What only several brokers need of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seating {
    /// The broker where it sits or sat last.
    pub(super) home: Option<Name>,
    /// Where it sits; `None`: it is away.
    pub(super) seat: Option<Seat>,
    /// Its process and that one's count of hellos, as its last hello said.
    pub(super) life: u64,
    pub(super) attempt: u32,
    /// The position of the record by which it went away.
    pub(super) away_since: Position,
}

impl Seating {
    /// The broker where it sits or sat last.
    #[must_use]
    pub fn home(&self) -> Option<&Name> {
        self.home.as_ref()
    }

    /// Where it sits; `None`: it is away.
    #[must_use]
    pub fn seat(&self) -> Option<Seat> {
        self.seat
    }

    /// The position of the record by which it went away.
    #[must_use]
    pub fn away_since(&self) -> Position {
        self.away_since
    }

    /// Whether a hello of this process and number comes too late.
    pub(super) fn is_newer_than(&self, life: u64, attempt: u32) -> bool {
        let is_late = life != 0 && life == self.life && attempt < self.attempt;
        is_late && !Mutant::SeatOldAttempts.lives()
    }

    pub(super) fn of(entry: &SeatEntry) -> Self {
        let seat = Seat {
            writer: entry.writer,
            number: entry.seat,
        };
        Self {
            home: Some(entry.home.clone()),
            seat: (entry.writer != Writer(0)).then_some(seat),
            life: entry.life,
            attempt: entry.attempt,
            away_since: entry.away_since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_comes_too_late_only_after_a_later_one_of_its_process() {
        let seating = Seating {
            life: 7,
            attempt: 3,
            ..Seating::default()
        };
        for (life, attempt, is_late) in [
            (7, 2, true),
            (7, 3, false),
            (7, 4, false),
            (8, 1, false),
            (0, 0, false),
        ] {
            assert_eq!(seating.is_newer_than(life, attempt), is_late);
        }
        assert!(!Seating::default().is_newer_than(0, 0));
    }
}
