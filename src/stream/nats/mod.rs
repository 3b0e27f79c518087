//! The stream in NATS JetStream: the only rooms that know NATS.
//!
//! The smallest part of it is used: plain publish, a republished tail, reading by sequence,
//! `STREAM.INFO` and `PURGE`. No consumers, no deduplication, no compare-and-set.
//!
//! One thread, `nats`, owns the connection. Towards the sequencer lie bounded channels.

mod appending;
mod error;
mod fitness;
mod info;
mod monitor;
mod options;
mod outlet;
mod reading;
mod session;
mod watch;
mod worker;

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::runtime;
use tokio::sync::mpsc;

use self::appending::Append;
use self::outlet::Outlet;
use self::worker::{Request, Worker};
use super::{Refusal, Shelf, Stream, StreamEvent};
use crate::wire::Position;

pub use error::Error;
pub use options::{Make, Options};

/// Events that wait for the sequencer; a record has at most half a MiB, and usually far less.
const EVENTS: usize = 256;
/// Requests that wait for the thread; each but appends is rare.
const REQUESTS: usize = 256;

/// A stream in JetStream.
#[derive(Debug)]
pub struct Nats {
    requests: Option<mpsc::Sender<Request>>,
    appends: Option<mpsc::Sender<Append>>,
    refusals: Sender<StreamEvent>,
    events: Receiver<StreamEvent>,
    thread: Option<JoinHandle<()>>,
}

impl Nats {
    /// Connects, and looks whether the stream is there and safe; makes it if that is wanted.
    ///
    /// # Errors
    /// What prevents that.
    pub fn start(options: Options) -> Result<Self, Error> {
        let (events_in, events) = bounded(EVENTS);
        let (requests_in, requests) = mpsc::channel(REQUESTS);
        let (appends_in, appends) = mpsc::channel(REQUESTS);
        let (started_in, started) = bounded(1);
        let outlet = Outlet::new(events_in.clone());
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = Builder::new().name("nats".into()).spawn(move || {
            runtime.block_on(async move {
                let (worker, started) = match Worker::start(options, outlet).await {
                    Ok(worker) => (Some(worker), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                if started_in.send(started).is_ok()
                    && let Some(worker) = worker
                {
                    worker.run(requests, appends).await;
                }
            });
        })?;
        let started = started.recv();
        started.unwrap_or_else(|_| Err(Error::Unreachable("the thread has ended".into())))?;
        Ok(Self {
            requests: Some(requests_in),
            appends: Some(appends_in),
            refusals: events_in,
            events,
            thread: Some(thread),
        })
    }

    fn ask(&self, request: Request) {
        let requests = self.requests.as_ref();
        if requests.is_none_or(|requests| requests.try_send(request).is_err()) {
            log::debug!("a request to NATS was left out: it will be asked again");
        }
    }
}

impl Stream for Nats {
    fn append(&mut self, tag: u64, place: Shelf, record: Arc<Vec<u8>>) {
        let append = Append {
            tag,
            shelf: place,
            record,
        };
        let queue = self.appends.as_ref();
        if queue.is_none_or(|queue| queue.try_send(append).is_err()) {
            let why = Refusal::Unavailable;
            let refused = self.refusals.try_send(StreamEvent::Refused { tag, why });
            if let Err(TrySendError::Full(_)) = refused {
                log::debug!("an append to NATS was left out: it will be sent again");
            }
        }
    }

    fn fetch(&mut self, from: Position, records: u32, bytes: u32) {
        self.ask(Request::Fetch(from, records, bytes));
    }

    fn read_again(&mut self, at: Position) {
        self.ask(Request::ReadAgain(at));
    }

    fn find_snapshot(&mut self) {
        self.ask(Request::FindSnapshot);
    }

    fn purge(&mut self, below: Position) {
        self.ask(Request::Purge(below));
    }

    fn events(&self) -> &Receiver<StreamEvent> {
        &self.events
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        // Both channels end first: that is what the thread ends by. And it must not wait for room
        // in the events.
        drop((self.requests.take(), self.appends.take()));
        self.events = crossbeam_channel::never();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("the thread that speaks to NATS has failed");
        }
    }
}
