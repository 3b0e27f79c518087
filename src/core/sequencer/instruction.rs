//! What an operator can tell a broker to do, and what is answered.

use std::time::Duration;

use crate::wire::Name;

/// Something that an operator wants done.
#[derive(Clone, Debug)]
pub enum Instruction {
    /// A member's connection ends; its session stays.
    Kick(Name),
    /// A member's session ends: all are told that it has left.
    End(Name),
    /// The broker takes no new members, finishes what it has accepted, and then is
    /// [drained](super::Ready::drained); after so long at the latest.
    Drain(Duration),
}

/// What has become of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The number that the instruction came with.
    pub ticket: u64,
    /// It is done, and is as durable as any answer; or why it is not.
    pub result: Result<(), Declined>,
}

/// Why an instruction was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// No member has this name.
    #[error("there is no member of this name")]
    UnknownMember,
    /// The member has no connection that could be ended.
    #[error("this member is not connected")]
    NotConnected,
    /// The log has no room for the notice that tells everybody.
    #[error("the disk is full: nobody could be told of it")]
    NoSpace,
}

impl Declined {
    /// The reason, for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownMember => "unknown_member",
            Self::NotConnected => "not_connected",
            Self::NoSpace => "no_space",
        }
    }
}
