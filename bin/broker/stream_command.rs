//! What can be done about the stream that several brokers share: make it, look at it, make it anew.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use orden::broker::{self, Move};
use orden::core::Limits;
use orden::store::{self, Identity};
use orden::stream::nats::{Error as StreamError, Make, Nats};
use orden::wire::OrderNumber;
use orden::wire::stream_record::Founding;

use crate::cluster::{Command, Error, Place};

/// The highest level of the records' format that a new order begins with.
const LEVEL: u32 = 1;
/// Until it is done or has failed: a second signal ends the process.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Does what was asked for, and says what came of it.
///
/// # Errors
/// Why it was not done.
pub(crate) fn run(command: &Command) -> Result<String, Error> {
    match command {
        Command::Create {
            place,
            from,
            snapshot_bytes,
        } => match from {
            None => create(place, *snapshot_bytes),
            Some(directory) => create_from(place, directory, *snapshot_bytes),
        },
        Command::Check(place) => {
            let mut stream = Nats::start(place.options())?;
            let founding = broker::founding(&mut stream, &NEVER)?;
            Ok(describe(place, &founding))
        }
        Command::Reseed { place, data } => reseed(place, data),
    }
}

fn create(place: &Place, snapshot_bytes: u64) -> Result<String, Error> {
    let mut options = place.options();
    options.make = Make::IfMissing;
    let mut stream = Nats::start(options)?;
    let founding = founding(place, store::draw_identity()?, snapshot_bytes)?;
    let founding = broker::found(&mut stream, &founding, &NEVER)?;
    Ok(describe(place, &founding))
}

fn create_from(place: &Place, directory: &Path, snapshot_bytes: u64) -> Result<String, Error> {
    let journal = Move::of(&store::Options::new(directory))?;
    if journal.founding().is_some() {
        let what = "it belongs to one of several brokers already: `orden-broker stream reseed` \
                    founds its order anew";
        return Err(broker::Error::NotToMove(what).into());
    }
    let mut options = place.options();
    options.make = Make::IfMissing;
    let mut stream = Nats::start(options)?;
    if !broker::is_unfounded(&mut stream, &NEVER)? {
        let what = "the stream holds an order already: give another --stream";
        return Err(broker::Error::NotToMove(what).into());
    }
    let founding = Founding {
        is_seeded: true,
        ..founding(place, journal.identity(), snapshot_bytes)?
    };
    let next = journal.run(&mut stream, &founding, &NEVER)?;
    Ok(goes_on(place, &founding, next, directory))
}

fn reseed(place: &Place, directory: &Path) -> Result<String, Error> {
    let journal = Move::of(&store::Options::new(directory))?;
    let Some(founded) = journal.founding() else {
        let what = "it belongs to no broker of several: `orden-broker stream create --from` \
                    founds its order";
        return Err(broker::Error::NotToMove(what).into());
    };
    let founding = Founding {
        stream: draw()?,
        is_seeded: true,
        ..founded.clone()
    };
    let mut options = place.options();
    options.message_bytes = usize::try_from(founding.message_bytes).unwrap_or(usize::MAX);
    match Nats::start(options.clone()) {
        Ok(mut stream) => {
            let found = broker::look_at_use(&mut stream, &NEVER)?;
            if found.is_at_work {
                return Err(Error::AtWork);
            }
            let journal = founding.log_id;
            if let Some(stream) = found.order.filter(|order| *order != journal) {
                return Err(broker::Error::OtherOrder { journal, stream }.into());
            }
        }
        // There is none, or none to be believed.
        Err(StreamError::NoStream(_) | StreamError::Unfit { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    options.make = Make::Anew;
    let mut stream = Nats::start(options)?;
    let next = journal.run(&mut stream, &founding, &NEVER)?;
    Ok(goes_on(place, &founding, next, directory))
}

fn describe(place: &Place, founding: &Founding) -> String {
    format!(
        "the stream {} holds the order {:016x}, messages of up to {} bytes",
        place.stream(),
        founding.log_id.0,
        founding.message_bytes
    )
}

fn goes_on(place: &Place, founding: &Founding, next: OrderNumber, directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "{}; it goes on at {next}\none broker goes on with {directory}; give the others empty \
         directories, or copies of it for what lies before",
        describe(place, founding)
    )
}

fn founding(place: &Place, identity: Identity, snapshot_bytes: u64) -> io::Result<Founding> {
    let limits = Limits::default();
    let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    Ok(Founding {
        log_id: identity.log_id,
        secret: identity.secret,
        message_bytes: place.max_message_bytes as u64,
        publish_window: limits.publish_window,
        name_bytes: number(limits.name_bytes),
        members: number(limits.members),
        snapshot_bytes,
        level: LEVEL,
        stream: draw()?,
        is_seeded: false,
    })
}

/// Draws what tells a stream from earlier ones of the same order.
fn draw() -> io::Result<u64> {
    Ok(store::draw_identity()?.secret)
}
