//! The stream of several brokers, and how far it is read and trusted.

use crate::core::StreamNews;
use crate::core::replica::Follower;
use crate::stream::{Refusal, Stream};
use crate::wire::{Position, stream_record};

/// A stream, and how far it is read.
pub(super) struct Streaming {
    pub(super) stream: Box<dyn Stream>,
    pub(super) follower: Follower,
    pub(super) is_up: bool,
    /// The record that was applied last when the stream came up, and its checksum: until it is
    /// read again from the engine's leader, and is the same, nothing more is applied.
    pub(super) comparing: Option<(Position, u32)>,
    /// Why publishes are not taken: the configuration is not fit, the stream is full.
    pub(super) is_unfit: bool,
    pub(super) is_full: bool,
}

impl Streaming {
    /// The stream is there, perhaps with another leader: what was applied must still be in it.
    /// That its end lay before says nothing: records may have come since it was looked up.
    pub(super) fn compare(&mut self, applied: Position, checksum: u32) -> Option<StreamNews> {
        if applied == Position(0) {
            return Some(StreamNews::Reconnected);
        }
        self.comparing = Some((applied, checksum));
        self.stream.read_again(applied);
        None
    }

    /// An answer may be lost.
    pub(super) fn ask_again(&mut self) {
        if let Some((position, _)) = self.comparing {
            self.stream.read_again(position);
        }
    }

    pub(super) fn compared(
        &mut self,
        position: Position,
        record: Option<Vec<u8>>,
    ) -> Option<StreamNews> {
        let (asked, checksum) = self.comparing?;
        if asked != position {
            return None;
        }
        let found = record.map(|record| stream_record::checksum(&record));
        if found == Some(checksum) {
            self.comparing = None;
            return Some(StreamNews::Reconnected);
        }
        Some(StreamNews::Broken(match found {
            Some(found) => format!(
                "the record at position {position} has the checksum {found:08x}, and had \
                 {checksum:08x} when it was applied"
            ),
            None => format!("the record at position {position}, which was applied, is gone"),
        }))
    }

    pub(super) fn refused(&mut self, why: &Refusal) -> StreamNews {
        match why {
            Refusal::Full => {
                self.is_full = true;
                StreamNews::Takes(false)
            }
            Refusal::TooLarge => StreamNews::Broken(
                "a record is larger than the servers take: raise their max_payload".into(),
            ),
            Refusal::Unavailable | Refusal::Other(_) => StreamNews::Refused,
        }
    }

    /// Notes whether publishes can be taken; says so if that has changed.
    pub(super) fn takes(&mut self, unfit: Option<bool>, full: Option<bool>) -> Option<StreamNews> {
        let before = self.is_unfit || self.is_full;
        self.is_unfit = unfit.unwrap_or(self.is_unfit);
        self.is_full = full.unwrap_or(self.is_full);
        let after = self.is_unfit || self.is_full;
        (before != after).then_some(StreamNews::Takes(!after))
    }
}
