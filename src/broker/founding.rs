//! What the stream that several brokers share was founded with, and the state by which a broker
//! begins that cannot read it from its first record on. It is read before the journal is opened,
//! as that belongs to the same order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Error;
use crate::core::replica::{self, Assembly, State};
use crate::stream::{Extent, Shelf, Stream, StreamEvent};
use crate::wire::Position;
use crate::wire::stream_record::{self, Founding, Proposal};

/// Where the founding stands, unless it was removed behind a snapshot.
const FIRST: Position = Position(1);
/// How much is asked for at a time.
const RECORDS: u32 = 256;
const BYTES: u32 = 4 << 20;
/// How often it is asked for.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often the caller's wish to give up is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What the stream holds, and what else was heard meanwhile.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) founding: Founding,
    /// Where a broker begins that has nothing, unless it begins with the first record.
    pub(super) state: Option<State>,
    pub(super) heard: Vec<StreamEvent>,
}

/// Reads what the stream was founded with.
///
/// # Errors
/// The stream's; that it was not founded; [`Error::GivenUp`].
pub(super) fn read(stream: &mut dyn Stream, give_up: &AtomicBool) -> Result<Found, Error> {
    let nothing = "it holds no record: `orden-broker stream create` founds an order in it";
    Reading::of(stream).run(give_up, |_| Err(Error::Unfounded(nothing.into())))
}

/// What a stream was founded with.
///
/// # Errors
/// As a broker's start.
pub fn founding(stream: &mut dyn Stream, give_up: &AtomicBool) -> Result<Founding, Error> {
    Ok(read(stream, give_up)?.founding)
}

/// Founds an order in a stream, unless it holds one; returns what it was founded with.
///
/// # Errors
/// As a broker's start.
pub fn found(
    stream: &mut dyn Stream,
    founding: &Founding,
    give_up: &AtomicBool,
) -> Result<Founding, Error> {
    let record = std::sync::Arc::new(replica::found(founding));
    let append = |stream: &mut dyn Stream| {
        // If another does the same, the first one counts.
        stream.append(1, Shelf::Commands, record.clone());
        Ok(())
    };
    Ok(Reading::of(stream).run(give_up, append)?.founding)
}

/// Reading from the first record on, as far as it has to.
struct Reading<'a> {
    stream: &'a mut dyn Stream,
    /// The record that is due.
    next: Position,
    /// The last one that there is, as far as is known.
    last: Position,
    assembly: Assembly,
    heard: Vec<StreamEvent>,
    /// How long an answer is waited for.
    patience: Duration,
}

impl<'a> Reading<'a> {
    fn of(stream: &'a mut dyn Stream) -> Self {
        Self {
            stream,
            next: FIRST,
            last: Position(0),
            assembly: Assembly::default(),
            heard: Vec::new(),
            patience: Duration::ZERO,
        }
    }

    fn run(
        mut self,
        give_up: &AtomicBool,
        mut on_empty: impl FnMut(&mut dyn Stream) -> Result<(), Error>,
    ) -> Result<Found, Error> {
        loop {
            if give_up.load(Ordering::Relaxed) {
                return Err(Error::GivenUp);
            }
            if self.patience.is_zero() {
                self.stream.fetch(self.next, RECORDS, BYTES);
                self.patience = ASK_AGAIN;
            }
            let Ok(event) = self.stream.events().recv_timeout(LOOK) else {
                self.patience = self.patience.saturating_sub(LOOK);
                continue;
            };
            match event {
                StreamEvent::Fetched { position, record } if position == self.next => {
                    if let Some((founding, state)) = self.take(&record)? {
                        return Ok(Found {
                            founding,
                            state,
                            heard: self.heard,
                        });
                    }
                }
                StreamEvent::FetchEnd { from, next, .. } if next > from => {
                    self.patience = Duration::ZERO;
                }
                StreamEvent::Broken(what) => return Err(Error::Diverged(what)),
                StreamEvent::Up(extent) | StreamEvent::Extent(extent) => {
                    self.reaches(extent)?;
                    if extent.last == Position(0) {
                        on_empty(self.stream)?;
                    }
                    if matches!(event, StreamEvent::Up(_)) {
                        self.heard.push(event);
                    }
                }
                StreamEvent::Unfit(_) | StreamEvent::Fit | StreamEvent::Down(_) => {
                    self.heard.push(event);
                }
                // The rest is read again in its turn.
                _ => {}
            }
        }
    }

    fn reaches(&mut self, extent: Extent) -> Result<(), Error> {
        let was_all_read = self.next > FIRST && self.next > self.last;
        if was_all_read && extent.last == self.last {
            let what = "its first record is gone, or founds an order that began elsewhere, and no \
                        whole snapshot of its state follows";
            return Err(Error::Unfounded(what.into()));
        }
        self.last = extent.last;
        if self.next < extent.first && extent.last > Position(0) {
            self.next = extent.first;
            self.assembly = Assembly::default();
            self.patience = Duration::ZERO;
        }
        Ok(())
    }

    fn take(&mut self, record: &[u8]) -> Result<Option<(Founding, Option<State>)>, Error> {
        if self.next == FIRST {
            let founding = read_record(record)?;
            if !founding.is_seeded {
                return Ok(Some((founding, None)));
            }
        }
        self.next = self.next.next();
        let unreadable = |error| Error::Unfounded(format!("its snapshot cannot be read: {error}"));
        let state = self.assembly.take(record).map_err(unreadable)?;
        Ok(state.map(|state| (state.founding.clone(), Some(state))))
    }
}

fn read_record(record: &[u8]) -> Result<Founding, Error> {
    let foreign = |why: String| Error::Unfounded(format!("its first record founds none: {why}"));
    let (_, proposals) =
        stream_record::decode(record).map_err(|error| foreign(error.to_string()))?;
    match proposals.into_iter().next() {
        Some(Proposal::Found(founding)) => Ok(founding),
        _ => Err(foreign("it says something else".into())),
    }
}
