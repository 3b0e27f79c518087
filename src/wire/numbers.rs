//! Numbers that all dialects share: places in the order, client sequences, logs and epochs.

use std::fmt;

/// The place of a message in the one order: 0 for the first, then without gaps, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNumber(pub u64);

impl OrderNumber {
    /// The number `count` places after this one.
    ///
    /// # Panics
    /// When the order runs out of numbers, which at a million messages a second takes half a
    /// million years.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.checked_add(count).expect("order numbers ran out"))
    }

    /// How many numbers lie from `earlier` (with it) to this one (without it); 0 if none do.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A publisher's own number for a message, from 1, used only to recognise what was sent twice.
///
/// It never takes part in ordering; [`ClientSequence::NONE`] marks a message without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientSequence(pub u64);

impl ClientSequence {
    /// What a message of a dialect without client sequences carries.
    pub const NONE: Self = Self(0);

    /// The sequence `count` places later, or `None` past the last one that fits.
    #[must_use]
    pub fn checked_plus(self, count: u64) -> Option<Self> {
        self.0.checked_add(count).map(Self)
    }
}

impl fmt::Display for ClientSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which log a number belongs to: drawn at random when a log is created. 0 stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LogId(pub u64);

/// Raised at each start of a broker on a log, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// The place of a record in the stream that several brokers share: the engine's own number,
/// which only rises. Not an order number: many records hold no message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A broker's process as the stream knows it: drawn at random when it starts. 0 stands for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Writer(pub u64);
