//! The stream of several brokers, as the commit loop drives it: what comes in is put in order and
//! compared with what was applied; what goes out is the machine's.

use crossbeam_channel::Receiver;

use super::CommitLoop;
use super::standing::{Obstacle, Standing};
use super::streaming::Streaming;
use crate::core::{Halt, Input, Now, StreamNews, Time};
use crate::store::Error;
use crate::stream::{Outage, Shelf, Stream, StreamEvent};
use crate::wire::Position;

impl CommitLoop {
    /// Shares the order with other brokers over this stream.
    #[must_use]
    pub fn with_stream(mut self, stream: Box<dyn Stream>) -> Self {
        let (applied, _) = self.machine.applied();
        self.streaming = Some(Streaming::new(stream, applied));
        self
    }

    /// Lets the stream forget what is not needed, but keeps at least so many bytes of it.
    #[must_use]
    pub fn keeping(mut self, bytes: Option<u64>) -> Self {
        if let Some(streaming) = &mut self.streaming {
            streaming.keep_bytes = bytes;
        }
        self
    }

    /// Why this broker has to stop for good.
    #[must_use]
    pub fn halt(&self) -> Option<&Halt> {
        self.machine.halt()
    }

    /// How many records of the stream are known and not applied.
    #[must_use]
    pub fn behind(&self) -> u64 {
        let streaming = self.streaming.as_ref();
        streaming.map_or(0, |streaming| streaming.follower.behind())
    }

    /// Whether the stream can be reached and has a leader; true without one.
    #[must_use]
    pub fn is_stream_up(&self) -> bool {
        self.streaming.as_ref().is_none_or(Streaming::is_up)
    }

    /// How this broker stands with the stream; `None` without one.
    #[must_use]
    pub fn standing(&self, now: Time) -> Option<Standing> {
        let streaming = self.streaming.as_ref()?;
        let obstacle = match streaming.outage() {
            Some(Outage::NoServer) => Some(Obstacle::NoServer),
            Some(Outage::NoLeader) => Some(Obstacle::NoLeader),
            None if streaming.is_late(now) => Some(Obstacle::Behind),
            None if streaming.is_unfit => Some(Obstacle::Unfit),
            None => streaming.is_full.then_some(Obstacle::Full),
        };
        Some(Standing {
            position: self.machine.applied().0,
            is_up: streaming.is_up(),
            behind: streaming.follower.behind(),
            obstacle,
        })
    }

    /// What happens at the stream, to be given to [`heard`](Self::heard); `None` without one.
    #[must_use]
    pub fn stream_events(&self) -> Option<&Receiver<StreamEvent>> {
        Some(self.streaming.as_ref()?.stream.events())
    }

    /// Takes something that has happened at the stream.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn heard(&mut self, now: Now, event: StreamEvent) -> Result<(), Error> {
        let (applied, _) = self.machine.applied();
        let checksum = self.machine.applied_checksum();
        let Some(streaming) = &mut self.streaming else {
            return Ok(());
        };
        if let Some(news) = streaming.note_outage(&event) {
            self.step(now, Input::Stream(news))?;
        }
        let Some(streaming) = &mut self.streaming else {
            return Ok(());
        };
        let news = match event {
            StreamEvent::Tail { position, record } | StreamEvent::Fetched { position, record } => {
                streaming.follower.take(position, record);
                None
            }
            StreamEvent::FetchEnd {
                from,
                next,
                is_missing,
            } => {
                streaming.follower.fetched(now.time, next > from);
                let is_due = is_missing && next == applied.next();
                is_due.then(|| streaming.misses(next)).flatten()
            }
            StreamEvent::Appended { tag, position } => {
                if let Some(record) = self.machine.acknowledged(now, tag) {
                    streaming.follower.take(position, record.to_vec());
                }
                streaming.takes(None, Some(false))
            }
            StreamEvent::Refused { why, .. } => Some(streaming.refused(&why)),
            StreamEvent::Up(extent) => {
                let news = streaming.reaches(extent, applied);
                news.or_else(|| streaming.compare(applied, checksum))
            }
            StreamEvent::Extent(extent) => {
                let news = streaming.reaches(extent, applied);
                streaming.ask_again();
                let keep = streaming.keep_bytes;
                let below = keep.and_then(|bytes| self.machine.purge_below(bytes));
                if let Some(below) = below {
                    streaming.let_go(now.time, below);
                }
                news
            }
            StreamEvent::ReadAgain { position, record } => streaming.compared(position, record),
            StreamEvent::Down(_) | StreamEvent::LastSnapshot(_) => None,
            StreamEvent::Unfit(_) => streaming.takes(Some(true), None),
            StreamEvent::Fit => streaming.takes(Some(false), None),
            StreamEvent::Broken(what) => Some(StreamNews::Broken(what)),
        };
        if let Some(news) = news {
            self.step(now, Input::Stream(news))?;
        }
        Ok(())
    }

    /// Applies records that are due, as far as a round goes and the log takes them.
    pub(super) fn apply_records(&mut self, now: Now) -> Result<(), Error> {
        while self.may_apply()
            && let Some((position, record)) = self.next_record()
        {
            let record = &record[..];
            self.step(now, Input::Ordered { position, record })?;
        }
        let (applied, _) = self.machine.applied();
        if let Some(streaming) = &mut self.streaming {
            streaming.note_lateness(now.time, applied);
        }
        let is_level = |streaming: &Streaming| {
            streaming.is_up() && streaming.comparing.is_none() && streaming.follower.is_level()
        };
        if self.streaming.as_ref().is_some_and(is_level) {
            self.step(now, Input::Stream(StreamNews::Level))?;
        }
        Ok(())
    }

    /// Appends what the machine proposes, and asks for what is missing.
    pub(super) fn drive_stream(&mut self, now: Now) {
        let Some(streaming) = &mut self.streaming else {
            return;
        };
        for append in self.machine.appends(now) {
            let tag = append.number;
            let place = if append.is_part {
                Shelf::Snapshot
            } else {
                Shelf::Commands
            };
            streaming.stream.append(tag, place, append.record);
        }
        if let Some(fetch) = streaming.follower.fetch(now.time) {
            let (records, bytes) = (fetch.records, fetch.bytes);
            streaming.stream.fetch(fetch.from, records, bytes);
        }
    }

    /// When the stream wants a round.
    pub(super) fn stream_deadline(&self) -> Option<Time> {
        let streaming = self.streaming.as_ref()?;
        if self.may_apply() && streaming.follower.has_next() {
            return Some(Time::default());
        }
        streaming.follower.deadline()
    }

    /// A log that is short of room stalls this broker, never the order.
    fn may_apply(&self) -> bool {
        let is_ready = |streaming: &Streaming| streaming.comparing.is_none();
        self.streaming.as_ref().is_some_and(is_ready)
            && self.unwritten.is_empty()
            && self.machine.halt().is_none()
            && self.machine.pending_bytes() < self.machine.limits().batch_bytes
    }

    fn next_record(&mut self) -> Option<(Position, Vec<u8>)> {
        self.streaming.as_mut()?.follower.pop()
    }
}
