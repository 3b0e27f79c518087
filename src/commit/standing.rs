//! How a broker stands with the stream that it shares with others, for those who look at it.

use std::fmt;

use crate::wire::Position;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The position of the last record that was applied.
    pub position: Position,
    /// Whether the stream is reached and has a leader.
    pub is_up: bool,
    /// Records that are known to be there and are not applied.
    pub behind: u64,
    /// What keeps this broker from ordering messages, if something does.
    pub obstacle: Option<Obstacle>,
}

/// Why a broker cannot order messages as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No server of the stream is reached.
    NoServer,
    /// The stream has no leader.
    NoLeader,
    /// Records have waited to be applied for too long.
    Behind,
    /// The stream is configured so that records may be lost.
    Unfit,
    /// The stream has no room.
    Full,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoServer => "stream unreachable",
            Self::NoLeader => "stream without leader",
            Self::Behind => "behind the stream",
            Self::Unfit => "stream unsafe",
            Self::Full => "stream full",
        })
    }
}
