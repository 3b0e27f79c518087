//! A cursor through the segments of a log from outside, while a broker writes to it and lets
//! old segments go.

use std::collections::VecDeque;
use std::io;

use super::Error;
use super::medium::Medium;
use super::segment::Sequence;
use super::survey::{self, Segment};
use crate::wire::OrderNumber;

/// How many segments are held open ahead: what is open can be read after it was let go. Bounded,
/// since a process may have only about a thousand files open.
const AHEAD: usize = 64;
/// How often the list is read again when retention takes what it began with.
const TRIES: usize = 100;

/// The segments from some place on, oldest first.
pub(super) struct Cursor {
    held: VecDeque<Segment>,
    waiting: VecDeque<Sequence>,
    /// The newest that was listed.
    newest: Sequence,
    /// Where the order goes on if the next segment is whole.
    next: OrderNumber,
}

impl Cursor {
    /// Begins with the segment that holds `from`, or with the oldest one.
    pub(super) fn begin(medium: &dyn Medium, from: Option<OrderNumber>) -> Result<Self, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            match Self::try_begin(medium, from) {
                // Retention has removed it after the list was made; the next list is without it.
                Err(error) if is_gone(&error) && tries < TRIES => {}
                other => return other,
            }
        }
    }

    fn try_begin(medium: &dyn Medium, from: Option<OrderNumber>) -> Result<Self, Error> {
        let mut listed = VecDeque::from(survey::list_beside_a_broker(medium)?);
        let (Some(&oldest), Some(&newest)) = (listed.front(), listed.back()) else {
            return Err(survey::no_log(medium)?);
        };
        let mut first = survey::open(medium, oldest)?;
        if let Some(from) = from {
            if from < first.header.first {
                return Err(Error::Trimmed(first.header.first));
            }
            let at = last_at_or_before(medium, &listed, from)?;
            if at > 0 {
                first = survey::open(medium, listed[at])?;
                listed.drain(..at);
            }
        }
        listed.pop_front();
        let mut cursor = Self {
            next: first.header.first,
            held: VecDeque::from([first]),
            waiting: listed,
            newest,
        };
        cursor.hold(medium)?;
        Ok(cursor)
    }

    /// The next segment, which must begin where the last one has ended.
    ///
    /// # Errors
    /// [`Error::Trimmed`] if retention was faster; damage if it is not the one that is due.
    pub(super) fn enter(&mut self, medium: &dyn Medium) -> Result<Option<Segment>, Error> {
        self.hold(medium)?;
        let Some(segment) = self.held.pop_front() else {
            return Ok(None);
        };
        survey::joins(medium, Some(self.next), &segment.header)?;
        Ok(Some(segment))
    }

    /// Says where the segment that was entered last ends.
    pub(super) fn leave(&mut self, end: OrderNumber) {
        self.next = end;
    }

    /// Whether there are segments after the one that was entered last.
    pub(super) fn has_more(&self) -> bool {
        !self.held.is_empty() || !self.waiting.is_empty()
    }

    /// Looks for segments that were begun after the list was made.
    pub(super) fn look_again(&mut self, medium: &dyn Medium) -> Result<(), Error> {
        let listed = survey::list_beside_a_broker(medium)?;
        let later = listed.into_iter().filter(|&later| later > self.newest);
        self.waiting.extend(later);
        if let Some(&newest) = self.waiting.back() {
            self.newest = newest;
        }
        self.hold(medium)
    }

    fn hold(&mut self, medium: &dyn Medium) -> Result<(), Error> {
        while self.held.len() < AHEAD
            && let Some(&sequence) = self.waiting.front()
        {
            match survey::open(medium, sequence) {
                Ok(segment) => self.held.push_back(segment),
                // It matters only once everything before it was read.
                Err(error) if is_gone(&error) && !self.held.is_empty() => return Ok(()),
                Err(error) if is_gone(&error) => return Err(let_go(medium, error)),
                Err(error) => return Err(error),
            }
            self.waiting.pop_front();
        }
        Ok(())
    }
}

/// Of the segments that begin at or before `from`, the last. The oldest one is known to.
fn last_at_or_before(
    medium: &dyn Medium,
    listed: &VecDeque<Sequence>,
    from: OrderNumber,
) -> Result<usize, Error> {
    let (mut low, mut high) = (0, listed.len());
    while high - low > 1 {
        let middle = low.midpoint(high);
        if survey::open(medium, listed[middle])?.header.first <= from {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Whether a file is not there.
pub(super) fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// What to say of a segment that is not there any more: which message is the oldest now.
fn let_go(medium: &dyn Medium, error: Error) -> Error {
    let oldest = survey::list_all(medium)
        .ok()
        .and_then(|listed| survey::open(medium, *listed.first()?).ok());
    oldest.map_or(error, |segment| Error::Trimmed(segment.header.first))
}
