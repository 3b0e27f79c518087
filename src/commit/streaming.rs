//! The stream of several brokers, and how far it is read and trusted.

use std::time::Duration;

use crate::core::StreamNews;
use crate::core::Time;
use crate::core::replica::Follower;
use crate::stream::{Extent, Outage, Refusal, Stream, StreamEvent};
use crate::wire::{Position, stream_record};

/// The record that was applied last when the stream came up.
pub(super) struct Comparing {
    position: Position,
    checksum: u32,
    /// Looks at the extent since it was not there when it was asked for.
    gone: Option<u32>,
}

/// A stream, and how far it is read.
pub(super) struct Streaming {
    pub(super) stream: Box<dyn Stream>,
    pub(super) follower: Follower,
    /// Why it does not work, if it does not.
    outage: Option<Outage>,
    /// Since when records up to this position are known to be there and not applied.
    late: Option<(Time, Position)>,
    /// Until this record is read again from the engine's leader, and is the same, nothing more is
    /// applied.
    pub(super) comparing: Option<Comparing>,
    /// Why publishes are not taken: the configuration is not fit, the stream is full.
    pub(super) is_unfit: bool,
    pub(super) is_full: bool,
    /// The first record that the engine keeps, as far as is known.
    pub(super) first: Position,
    /// The record that is due and was not found, though there are later ones; and how often
    /// the extent was looked up since. It may have been removed behind a snapshot, or have come
    /// between
    /// two questions: only one that is missing again is lost.
    missing: Option<(Position, u32)>,
    /// Keep at least so many bytes of records; `None`: all.
    pub(super) keep_bytes: Option<u64>,
    /// When it was last asked to let go of records.
    pub(super) purged: Option<Time>,
}

/// A record that is not there counts as lost after so many looks at the extent: one may be from
/// before it was removed behind a snapshot.
const LOOKS: u32 = 2;
/// A broker is behind if it has not applied what it has known of for so long.
const LATE: Duration = Duration::from_secs(3);
/// How often the engine is asked to let go of the same records.
const PURGE_AGAIN: Duration = Duration::from_secs(10);

impl Streaming {
    /// Over this stream, of which this position was applied last.
    pub(super) fn new(stream: Box<dyn Stream>, applied: Position) -> Self {
        Self {
            stream,
            follower: Follower::new(applied),
            outage: Some(Outage::NoLeader),
            late: None,
            comparing: None,
            is_unfit: false,
            is_full: false,
            first: Position(1),
            missing: None,
            keep_bytes: None,
            purged: None,
        }
    }

    /// Why it does not work, if it does not.
    pub(super) fn outage(&self) -> Option<Outage> {
        self.outage
    }

    /// Whether it is reached and has a leader.
    pub(super) fn is_up(&self) -> bool {
        self.outage.is_none()
    }

    /// Notes whether it works, if an event tells; says whether a server is reached if that is new.
    pub(super) fn note_outage(&mut self, event: &StreamEvent) -> Option<StreamNews> {
        let outage = match event {
            StreamEvent::Down(outage) => Some(*outage),
            StreamEvent::Up(_) => None,
            _ => return None,
        };
        let before = std::mem::replace(&mut self.outage, outage);
        let is_reached = |outage| outage != Some(Outage::NoServer);
        (is_reached(before) != is_reached(outage))
            .then_some(StreamNews::Reached(is_reached(outage)))
    }

    /// Notes what there is to apply, so that it shows if it is not applied in time.
    pub(super) fn note_lateness(&mut self, now: Time, applied: Position) {
        if self.late.is_none_or(|(_, known)| known <= applied) {
            let head = Position(applied.0 + self.follower.behind());
            self.late = (head > applied).then_some((now, head));
        }
    }

    /// Whether records have waited for too long.
    pub(super) fn is_late(&self, now: Time) -> bool {
        self.late.is_some_and(|(since, _)| now.since(since) >= LATE)
    }

    /// How far the stream goes now.
    pub(super) fn reaches(&mut self, extent: Extent, applied: Position) -> Option<StreamNews> {
        self.first = self.first.max(extent.first);
        self.follower.goes_to(extent.last);
        if applied.next() < self.first {
            return Some(StreamNews::LeftBehind(self.first));
        }
        if let Some(looks) = self.comparing.as_mut().and_then(|it| it.gone.as_mut()) {
            *looks += 1;
        }
        if let Some((missing, looks)) = &mut self.missing {
            *looks += 1;
            if *missing != applied.next() {
                self.missing = None;
            }
        }
        None
    }

    /// The record that is due was not found, though there are later ones.
    pub(super) fn misses(&mut self, position: Position) -> Option<StreamNews> {
        let is_it = |(missing, looks): (Position, u32)| missing == position && looks >= LOOKS;
        if self.missing.is_some_and(is_it) {
            return Some(StreamNews::Broken(format!(
                "the stream has later records, but none at position {position}"
            )));
        }
        self.missing.get_or_insert((position, 0));
        None
    }

    /// Asks the engine to let go of what lies below a position.
    pub(super) fn let_go(&mut self, now: Time, below: Position) {
        let is_due = self.purged.is_none_or(|at| at + PURGE_AGAIN <= now);
        if self.is_up() && below > self.first && is_due {
            self.purged = Some(now);
            self.stream.purge(below);
        }
    }

    /// The stream is there, perhaps with another leader: what was applied must still be in it.
    /// That its end lay before says nothing: records may have come since it was looked up.
    pub(super) fn compare(&mut self, applied: Position, checksum: u32) -> Option<StreamNews> {
        if applied < self.first {
            // There is nothing to compare with: later records say what their writers had seen.
            self.comparing = None;
            return Some(StreamNews::Reconnected);
        }
        self.comparing = Some(Comparing {
            position: applied,
            checksum,
            gone: None,
        });
        self.stream.read_again(applied);
        None
    }

    /// An answer may be lost.
    pub(super) fn ask_again(&mut self) {
        if let Some(comparing) = &self.comparing {
            self.stream.read_again(comparing.position);
        }
    }

    pub(super) fn compared(
        &mut self,
        position: Position,
        record: Option<Vec<u8>>,
    ) -> Option<StreamNews> {
        let comparing = self
            .comparing
            .as_mut()
            .filter(|it| it.position == position)?;
        let checksum = comparing.checksum;
        let found = record.map(|record| stream_record::fingerprint(&record));
        if found.is_none() && *comparing.gone.get_or_insert(0) < LOOKS {
            return None; // perhaps it was removed behind a snapshot: a look says so
        }
        if found == Some(checksum) || position < self.first {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossbeam_channel::{Receiver, never};

    use super::*;
    use crate::stream::Shelf;

    /// One that says nothing.
    struct Silent(Receiver<StreamEvent>);

    impl Stream for Silent {
        fn append(&mut self, _: u64, _: Shelf, _: Arc<Vec<u8>>) {}
        fn fetch(&mut self, _: Position, _: u32, _: u32) {}
        fn read_again(&mut self, _: Position) {}
        fn find_snapshot(&mut self) {}
        fn purge(&mut self, _: Position) {}
        fn events(&self) -> &Receiver<StreamEvent> {
            &self.0
        }
    }

    #[test]
    fn a_broker_is_late_that_does_not_apply_what_it_has_known_of() {
        let at = |seconds: u64| Time(seconds * 1_000_000);
        let mut streaming = Streaming::new(Box::new(Silent(never())), Position(4));
        streaming.note_lateness(at(0), Position(4));
        streaming.follower.goes_to(Position(6));
        streaming.note_lateness(at(10), Position(4));
        assert!(!streaming.is_late(at(12)));
        assert!(streaming.is_late(at(13)));
        // There are always more, as it is with others at work, but those are applied.
        streaming.follower.take(Position(5), vec![0]);
        streaming.follower.take(Position(6), vec![0]);
        while streaming.follower.pop().is_some() {}
        streaming.follower.goes_to(Position(9));
        streaming.note_lateness(at(14), Position(6));
        assert!(!streaming.is_late(at(16)));
        assert!(streaming.is_late(at(17)));
    }

    #[test]
    fn publishes_are_taken_again_when_nothing_is_in_their_way() {
        let mut streaming = Streaming::new(Box::new(Silent(never())), Position(0));
        assert_eq!(streaming.takes(None, Some(false)), None);
        let (no, yes) = (
            Some(StreamNews::Takes(false)),
            Some(StreamNews::Takes(true)),
        );
        assert_eq!(streaming.takes(None, Some(true)), no);
        assert_eq!(streaming.takes(Some(true), None), None, "known already");
        assert_eq!(streaming.takes(None, Some(false)), None, "still unfit");
        assert_eq!(streaming.takes(Some(false), None), yes);
        assert_eq!(streaming.takes(Some(true), None), no);
        assert_eq!(streaming.takes(Some(false), None), yes);
    }

    #[test]
    fn that_no_server_is_reached_is_news_once() {
        let mut streaming = Streaming::new(Box::new(Silent(never())), Position(0));
        let mut hear = |event| streaming.note_outage(&event);
        assert_eq!(hear(StreamEvent::Down(Outage::NoLeader)), None);
        let lost = Some(StreamNews::Reached(false));
        assert_eq!(hear(StreamEvent::Down(Outage::NoServer)), lost);
        assert_eq!(hear(StreamEvent::Down(Outage::NoServer)), None);
        let found = Some(StreamNews::Reached(true));
        assert_eq!(hear(StreamEvent::Up(Extent::default())), found);
    }
}
