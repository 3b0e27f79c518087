//! Moving an order into a stream: that of a broker that was alone, or of brokers whose stream is
//! lost or not to be believed. Its log goes on there, with the same numbers and sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Error, founding};
use crate::core::order::{Order, Rules};
use crate::core::replica;
use crate::core::{Index, Write};
use crate::net::Clock;
use crate::store::{self, Log, Opened, Shortage};
use crate::stream::{Shelf, Stream, StreamEvent};
use crate::wire::stream_record::{self, Founding};
use crate::wire::{LogId, OrderNumber, Position};

/// How long the engine's answer to one record is waited for.
const ANSWER: Duration = Duration::from_secs(2);
/// How often the caller's wish to give up is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long nothing may come before all brokers count as stopped: each says every two seconds that
/// it lives.
const STILL: Duration = Duration::from_secs(6);

/// A log that is to go on in a stream.
#[expect(
    missing_debug_implementations,
    reason = "a log shows nothing of itself"
)]
pub struct Move {
    opened: Opened,
    /// What its stream was founded with; `None`: it belongs to a broker that was alone.
    founding: Option<Founding>,
}

impl Move {
    /// Opens the log, which no broker may have open.
    ///
    /// # Errors
    /// The log's.
    pub fn of(options: &store::Options) -> Result<Self, Error> {
        let opened = store::open_existing(options)?;
        let mark = opened.recovered.mark.as_ref();
        let founding = mark.and_then(|mark| mark.founding.clone());
        Ok(Self { opened, founding })
    }

    /// What the order's stream was founded with; `None`: its broker was alone.
    #[must_use]
    pub fn founding(&self) -> Option<&Founding> {
        self.founding.as_ref()
    }

    /// What makes the log unlike any other.
    #[must_use]
    pub fn identity(&self) -> store::Identity {
        store::Identity {
            log_id: self.opened.recovered.log_id,
            secret: self.opened.recovered.digest_seed,
        }
    }

    /// Says in the log that it goes on in the stream, and founds the order there, which must be
    /// empty; returns the number that the next message gets. If it fails, it is to be done again.
    ///
    /// # Errors
    /// Those of the log and of the stream.
    pub fn run(
        self,
        stream: &mut dyn Stream,
        founding: &Founding,
        give_up: &AtomicBool,
    ) -> Result<OrderNumber, Error> {
        let Opened {
            mut log,
            mut recovered,
            ..
        } = self.opened;
        let mark = recovered.mark.take();
        let mut order = Order::resume(recovered, Rules::of(founding));
        let first = replica::found(founding);
        order.move_to(mark, founding.clone(), &first);
        let state = order.state();
        let writes = order.take_writes();
        append(&mut *log, &writes, &order)?;
        log.close()?;
        let mut records = vec![first];
        records.extend(replica::seed(founding, &state));
        for (tag, record) in (1..).zip(records) {
            let place = if tag == 1 {
                Shelf::Commands
            } else {
                Shelf::Snapshot
            };
            put(stream, tag, place, &Arc::new(record), give_up)?;
        }
        let found = founding::read(stream, give_up)?;
        if found.state.is_none_or(|found| found.bytes != state) {
            let what = "it holds another state than was written: another has founded it meanwhile";
            return Err(Error::Unfounded(what.into()));
        }
        Ok(order.next())
    }
}

/// Whether a stream holds no record.
///
/// # Errors
/// [`Error::GivenUp`].
pub fn is_unfounded(stream: &mut dyn Stream, give_up: &AtomicBool) -> Result<bool, Error> {
    loop {
        if give_up.load(Ordering::Relaxed) {
            return Err(Error::GivenUp);
        }
        match stream.events().recv_timeout(LOOK) {
            Ok(StreamEvent::Up(extent) | StreamEvent::Extent(extent)) => {
                return Ok(extent.last == Position(0));
            }
            Ok(StreamEvent::Broken(what)) => return Err(Error::Diverged(what)),
            _ => {}
        }
    }
}

/// What a stream is used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Whether brokers write to it.
    pub is_at_work: bool,
    /// The order that its first record is of, if that can be read.
    pub order: Option<LogId>,
}

/// Looks what a stream is used for: waits long enough to hear each broker.
///
/// # Errors
/// [`Error::GivenUp`].
pub fn look_at_use(stream: &mut dyn Stream, give_up: &AtomicBool) -> Result<Use, Error> {
    let clock = Clock::start();
    let end = clock.now() + STILL;
    let (mut last, mut found) = (None, Use::default());
    stream.fetch(Position(1), 1, 1);
    while clock.now() < end && !found.is_at_work {
        if give_up.load(Ordering::Relaxed) {
            return Err(Error::GivenUp);
        }
        match stream.events().recv_timeout(LOOK) {
            Ok(StreamEvent::Tail { .. }) => found.is_at_work = true,
            Ok(StreamEvent::Up(extent) | StreamEvent::Extent(extent)) => {
                found.is_at_work = *last.get_or_insert(extent.last) != extent.last;
            }
            Ok(StreamEvent::Fetched { record, .. }) => {
                let header = stream_record::Header::decode(&record);
                found.order = header.ok().map(|header| header.log_id);
            }
            _ => {}
        }
    }
    Ok(found)
}

fn append(log: &mut dyn Log, writes: &[Write], order: &Order) -> Result<(), Error> {
    let short = |shortage: Shortage| Error::Store(store::Error::NoSpace(shortage));
    let room = log.make_room(order.state().len(), &mut || order.snapshot())?;
    if let Some(shortage) = room.shortage {
        return Err(short(shortage));
    }
    for write in writes {
        log.append(Index(1), write)
            .map_err(|failure| match failure {
                store::Failure::Passing(shortage) => short(shortage),
                store::Failure::Final(error) => Error::Store(error),
            })?;
    }
    Ok(log.commit()?)
}

/// Appends a record until the engine says that it is there. It may be there twice: brokers step
/// over that.
fn put(
    stream: &mut dyn Stream,
    tag: u64,
    place: Shelf,
    record: &Arc<Vec<u8>>,
    give_up: &AtomicBool,
) -> Result<(), Error> {
    loop {
        stream.append(tag, place, Arc::clone(record));
        let clock = Clock::start();
        let end = clock.now() + ANSWER;
        while clock.now() < end {
            if give_up.load(Ordering::Relaxed) {
                return Err(Error::GivenUp);
            }
            match stream.events().recv_timeout(LOOK) {
                Ok(StreamEvent::Appended { tag: of, .. }) if of == tag => return Ok(()),
                Ok(StreamEvent::Refused { tag: of, why }) if of == tag => {
                    log::warn!("the stream does not take a record: {why:?}; trying again");
                }
                Ok(StreamEvent::Broken(what)) => return Err(Error::Diverged(what)),
                _ => {}
            }
        }
    }
}
