//! One broker among several: what it knows besides the order.

use std::collections::BTreeMap;

use super::due::Due;
use super::route::Route;
use super::{Instruction, Proof};
use crate::core::Time;
use crate::core::order::MemberId;
use crate::core::replica::Scribe;
use crate::wire::native::Goodbye;
use crate::wire::{Name, Position, Writer};

/// See the module.
#[derive(Debug)]
pub(super) struct Among {
    /// This broker's name.
    pub(super) broker: Name,
    pub(super) scribe: Scribe,
    pub(super) standing: Standing,
    /// When the others' records came last.
    pub(super) heard: BTreeMap<Writer, Time>,
    /// When any record came last.
    pub(super) moved: Time,
    /// Peers that have said goodbye and wait for the answer.
    pub(super) farewells: Vec<Farewell>,
    /// Peers that say a number which this broker does not know yet.
    pub(super) early: Vec<Early>,
    /// Whether one of them is judged now.
    pub(super) is_judging: bool,
    /// Bytes that wait for their senders' seats.
    pub(super) held_bytes: usize,
    /// Whether messages are not taken in now, as the stream does not take them.
    pub(super) is_refusing: bool,
    /// Whether no server of the stream is reached for so long that members do better elsewhere.
    pub(super) is_cut_off: bool,
    /// What operators have asked for, until it is applied.
    pub(super) asked: Vec<Asked>,
    pub(super) halt: Option<Halt>,
    /// How far the others had come, as their last records say.
    pub(super) seen: BTreeMap<Writer, Position>,
    /// The snapshot that is to be written.
    pub(super) due: Option<Due>,
}

/// Something that an operator has asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The own record that says it.
    pub(super) record: u64,
    pub(super) ticket: u64,
    pub(super) instruction: Instruction,
}

/// Whether this broker serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It reads what there is.
    Reading,
    /// It has asked to serve.
    Opening,
    /// It serves.
    Open,
}

/// A peer that has said goodbye.
#[derive(Debug)]
pub(super) struct Farewell {
    pub(super) member: MemberId,
    pub(super) route: Route,
    pub(super) goodbye: Goodbye,
}

/// A peer that has said hello with a number that is not known yet.
#[derive(Debug)]
pub(super) struct Early {
    /// The own record behind which everything is applied that it may know of.
    pub(super) record: u64,
    pub(super) route: Route,
    pub(super) hello: Vec<u8>,
    pub(super) proof: Option<Proof>,
}

/// Why a broker stops for good: nothing is delivered any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halt {
    /// Another broker has another history, or the stream has.
    Diverged(String),
    /// A record says what only a newer version knows.
    Newer,
    /// A newer broker of the same name serves.
    TakenOver(Name),
    /// The stream has let go of records that this broker has not seen.
    LeftBehind {
        /// The last position that it has applied.
        applied: Position,
        /// The first one that is left.
        first: Position,
    },
}
