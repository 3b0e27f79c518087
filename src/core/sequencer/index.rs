//! Groups of writes: what is appended to the log together.

use crate::core::order::Write;

/// The place of a group of writes among all that were given out; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub u64);

/// A group of writes, to be appended together and in this order.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// The group's place; that of the last one if there are no writes.
    pub index: Index,
    /// What to append.
    pub writes: Vec<Write>,
}
