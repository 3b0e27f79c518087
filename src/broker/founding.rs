//! The first record of the stream that several brokers share: it says which order this is. It is
//! read before the journal is opened, as that belongs to the same order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Error;
use crate::core::replica;
use crate::stream::{Extent, Shelf, Stream, StreamEvent};
use crate::wire::Position;
use crate::wire::stream_record::{self, Founding, Proposal};

/// Where it stands.
const FIRST: Position = Position(1);
/// The most bytes that are asked for: the record has less than 200.
const BYTES: u32 = 64 << 10;
/// How often it is asked for.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often the caller's wish to give up is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The founding, and what else was heard meanwhile.
pub(super) struct Found {
    pub(super) founding: Founding,
    pub(super) heard: Vec<StreamEvent>,
}

/// Reads what the stream was founded with.
///
/// # Errors
/// The stream's; that it was not founded; [`Error::GivenUp`].
pub(super) fn read(stream: &mut dyn Stream, give_up: &AtomicBool) -> Result<Found, Error> {
    let nothing = "it holds no record: `orden-broker stream create` founds an order in it";
    look(stream, give_up, |_| Err(Error::Unfounded(nothing.into())))
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
    Ok(look(stream, give_up, append)?.founding)
}

fn look(
    stream: &mut dyn Stream,
    give_up: &AtomicBool,
    mut on_empty: impl FnMut(&mut dyn Stream) -> Result<(), Error>,
) -> Result<Found, Error> {
    let mut heard = Vec::new();
    let mut patience = Duration::ZERO;
    loop {
        if give_up.load(Ordering::Relaxed) {
            return Err(Error::GivenUp);
        }
        if patience.is_zero() {
            stream.fetch(FIRST, 1, BYTES);
            patience = ASK_AGAIN;
        }
        let Ok(event) = stream.events().recv_timeout(LOOK) else {
            patience = patience.saturating_sub(LOOK);
            continue;
        };
        match event {
            StreamEvent::Fetched { position, record } if position == FIRST => {
                return Ok(Found {
                    founding: read_record(&record)?,
                    heard,
                });
            }
            StreamEvent::Broken(what) => return Err(Error::Diverged(what)),
            StreamEvent::Up(extent) | StreamEvent::Extent(extent) => {
                if extent.last == Position(0) {
                    on_empty(stream)?;
                } else if extent.first > FIRST {
                    return Err(Error::Unfounded(gone(extent)));
                }
                if matches!(event, StreamEvent::Up(_)) {
                    heard.push(event);
                }
            }
            StreamEvent::Unfit(_) | StreamEvent::Fit | StreamEvent::Down(_) => heard.push(event),
            // The rest is read again in its turn.
            _ => {}
        }
    }
}

fn gone(extent: Extent) -> String {
    let first = extent.first;
    format!("its first record is gone: the oldest one it keeps is {first}")
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
