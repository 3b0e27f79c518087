//! Messages on their way to a reader: straight from the log, as fast as TCP takes them.
//!
//! What a reader costs is bounded, however slow it is: a stretch of the log, a piece of text that
//! waits, and what hyper and the system buffer. Nothing waits for it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::messages::{Format, Wanted};
use crate::core::Chunk;
use crate::display::Message;
use crate::store::{Error, LogReader};
use crate::wire::OrderNumber;
use crate::wire::record::Record;

/// Bytes of text after which a piece is handed over.
const PIECE: usize = 32 << 10;
/// How often a reader of events is told that there is nothing: proxies end what is silent.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A reader of the log that many share.
pub(super) type SharedReader = Arc<Mutex<Box<dyn LogReader>>>;

/// Where messages come from.
pub(super) struct Origin {
    /// A reader of its own, for what is old.
    pub(super) reader: SharedReader,
    /// One that those at the head share: it reads each stretch once for all of them.
    pub(super) head: SharedReader,
    pub(super) end: watch::Receiver<OrderNumber>,
    /// Ends when the server does.
    pub(super) stopped: watch::Receiver<()>,
    /// The end as it was when it was asked.
    pub(super) until: OrderNumber,
    /// Said first to a reader of events.
    pub(super) greeting: String,
}

/// A stream as hyper takes it.
pub(super) struct Stream(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let piece = self.0.poll_recv(context);
        piece.map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

/// Starts to send what is wanted, from `next` on; `place` is held until that has ended.
pub(super) fn start<P: Send + 'static>(
    origin: Origin,
    wanted: Wanted,
    next: OrderNumber,
    place: P,
) -> Stream {
    let (pieces, stream) = mpsc::channel(1);
    let until = (!wanted.follow).then_some(origin.until);
    let sender = Sender {
        format: wanted.format,
        left: wanted.count.unwrap_or(u64::MAX),
        until,
        next,
        text: Vec::new(),
        pieces,
        origin,
        at_head: false,
    };
    tokio::spawn(async move {
        sender.run().await;
        drop(place);
    });
    Stream(stream)
}

struct Sender {
    format: Format,
    /// How many more are wanted.
    left: u64,
    /// Where it ends, if it does not go on with what comes.
    until: Option<OrderNumber>,
    next: OrderNumber,
    /// What was not handed over yet.
    text: Vec<u8>,
    pieces: mpsc::Sender<io::Result<Bytes>>,
    origin: Origin,
    at_head: bool,
}

/// Why a stream ends.
enum End {
    /// There is nothing more to send, or nobody to send it to.
    Done,
    /// It cannot go on: whoever reads must not take it for the end.
    Broken(String),
}

impl Sender {
    async fn run(mut self) {
        match self.send_all().await {
            End::Done => {}
            End::Broken(why) => {
                log::warn!("http: messages from {} on were not sent: {why}", self.next);
                // If nobody takes it, nobody has to be told.
                self.pieces.send(Err(io::Error::other(why))).await.ok();
            }
        }
    }

    async fn send_all(&mut self) -> End {
        if self.format == Format::Events {
            let greeting = format!("event: log\ndata: {}\n", self.origin.greeting);
            self.text.extend_from_slice(greeting.as_bytes());
            // A browser that is cut off before its first message goes on from here.
            if let Some(before) = self.next.0.checked_sub(1) {
                let id = format!("id: {before}\n");
                self.text.extend_from_slice(id.as_bytes());
            }
            self.text.push(b'\n');
        }
        loop {
            if self.left == 0 || self.until.is_some_and(|until| self.next >= until) {
                self.hand_over().await;
                return End::Done;
            }
            let more = match self.read().await {
                Ok(Ok(chunk)) => self.write(&chunk).await,
                Ok(Err(Error::Beyond(_))) => self.wait().await,
                Ok(Err(Error::Trimmed(oldest))) if self.format == Format::Events => {
                    self.skip(oldest);
                    true
                }
                Ok(Err(error)) => return End::Broken(error.to_string()),
                Err(error) => return End::Broken(error.to_string()),
            };
            if !more {
                return End::Done;
            }
        }
    }

    /// Reads a stretch on a thread that may wait for the disk.
    async fn read(&self) -> Result<Result<Chunk, Error>, tokio::task::JoinError> {
        let origin = &self.origin;
        let reader = if self.at_head {
            &origin.head
        } else {
            &origin.reader
        };
        let (reader, next) = (Arc::clone(reader), self.next);
        tokio::task::spawn_blocking(move || {
            reader
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .read(next)
        })
        .await
    }

    /// Sends what is wanted of a stretch; `false`: nobody reads any more.
    async fn write(&mut self, chunk: &Chunk) -> bool {
        for record in chunk.records() {
            let wanted = self.left > 0 && self.until.is_none_or(|until| record.order < until);
            if record.order < self.next || !wanted {
                continue;
            }
            self.text_of(&record);
            self.left -= 1;
            self.next = record.order.plus(1);
            if self.text.len() >= PIECE && !self.hand_over().await {
                return false;
            }
        }
        self.hand_over().await
    }

    fn text_of(&mut self, record: &Record<'_>) {
        let line = Message::from(record).to_json();
        if self.format == Format::Events {
            let head = format!("id: {}\ndata: ", record.order);
            self.text.extend_from_slice(head.as_bytes());
        }
        self.text.extend_from_slice(line.as_bytes());
        let end: &[u8] = if self.format == Format::Events {
            b"\n\n"
        } else {
            b"\n"
        };
        self.text.extend_from_slice(end);
    }

    /// Says that messages are missing, as they are no longer kept.
    fn skip(&mut self, to: OrderNumber) {
        let from = std::mem::replace(&mut self.next, to);
        let text = format!("event: skipped\ndata: {{\"from\":{from},\"to\":{to}}}\n\n");
        self.text.extend_from_slice(text.as_bytes());
    }

    async fn hand_over(&mut self) -> bool {
        if self.text.is_empty() {
            return true;
        }
        let text = Bytes::from(std::mem::take(&mut self.text));
        self.pieces.send(Ok(text)).await.is_ok()
    }

    /// Waits for more to read; `false`: it is over.
    async fn wait(&mut self) -> bool {
        self.at_head = true;
        loop {
            if !self.hand_over().await {
                return false;
            }
            if *self.origin.end.borrow_and_update() > self.next {
                return true;
            }
            let changed = tokio::select! {
                changed = timeout(HEARTBEAT, self.origin.end.changed()) => changed,
                () = self.pieces.closed() => return false,
                // It never changes: its sender is gone.
                _ = self.origin.stopped.changed() => return false,
            };
            match changed {
                Ok(Err(_)) => return false,
                Err(_) if self.format == Format::Events => self.text.extend_from_slice(b":\n\n"),
                Ok(Ok(())) | Err(_) => {}
            }
        }
    }
}
