//! `POST /messages` and `POST /sessions`: the task around the machine of those who post.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::poster::{Outcome, Poster, Wish};
use super::seam::Source;
use super::session::Ticket;
use crate::broker::{InProcess, NotTaken};
use crate::wire::Name;

/// Wishes that may wait to be taken.
const WISHES: usize = 64;
/// The broker's frames that may wait to be heard: each wish is answered by a few.
const FRAMES: usize = 1024;
/// How often the broker is tried again while it is busy.
const BUSY: Duration = Duration::from_millis(2);
/// How often is looked for what has waited for too long.
const TICK: Duration = Duration::from_secs(1);
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of messages that may wait for their numbers, over all names, and at least so many of the
/// largest; each counts with what it costs besides.
const ROOM: usize = 16 << 20;
const LARGEST: usize = 4;
const BESIDES: usize = 512;

/// Speaks to the task.
#[derive(Clone)]
pub(super) struct Posting {
    wishes: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
}

/// A message with the room that it takes, until its last copy is dropped.
struct Held {
    payload: Bytes,
    _room: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.payload
    }
}

struct Request {
    name: Name,
    claim: Option<String>,
    wish: Wish,
    answer: oneshot::Sender<Outcome>,
}

impl Posting {
    /// Starts the task.
    pub(super) fn start(
        in_process: InProcess,
        source: Arc<dyn Source>,
        message_bytes: usize,
    ) -> Self {
        let (wishes, requests) = mpsc::channel(WISHES);
        let (heard, frames) = mpsc::channel(FRAMES);
        let ear =
            move |connection, frame: &[u8]| heard.try_send((connection, frame.to_vec())).is_ok();
        if !in_process.listen(Box::new(ear)) {
            log::error!("http: another part of this process hears what is meant for this one");
        }
        let task = Task {
            poster: Poster::default(),
            in_process,
            source,
            tickets: HashMap::new(),
            newest: 0,
            started: Instant::now(),
        };
        tokio::spawn(task.run(requests, frames));
        Self::with_room(wishes, message_bytes)
    }

    fn with_room(wishes: mpsc::Sender<Request>, message_bytes: usize) -> Self {
        let largest = message_bytes.saturating_add(BESIDES);
        let room = largest.saturating_mul(LARGEST).max(ROOM);
        let room = Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS)));
        Self { wishes, room }
    }

    /// Finds room for a message; `None`: too many wait for their numbers.
    pub(super) fn hold(&self, payload: Bytes) -> Option<Bytes> {
        let bytes = u32::try_from(payload.len() + BESIDES).ok()?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes);
        let room = room.ok()?;
        Some(Bytes::from_owner(Held {
            payload,
            _room: room,
        }))
    }

    /// Has a wish fulfilled; `None`: no answer has come in time.
    pub(super) async fn ask(
        &self,
        name: Name,
        claim: Option<String>,
        wish: Wish,
    ) -> Option<Outcome> {
        let (answer, outcome) = oneshot::channel();
        let request = Request {
            name,
            claim,
            wish,
            answer,
        };
        let asked = async {
            self.wishes.send(request).await.ok()?;
            outcome.await.ok()
        };
        timeout(PATIENCE, asked).await.ok().flatten()
    }
}

struct Task {
    poster: Poster,
    in_process: InProcess,
    source: Arc<dyn Source>,
    tickets: HashMap<Ticket, Asked>,
    newest: u64,
    started: Instant,
}

/// A request that waits, and for what.
struct Asked {
    name: Name,
    /// Of a message.
    sequence: Option<u64>,
    answer: oneshot::Sender<Outcome>,
}

impl Task {
    async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        mut frames: mpsc::Receiver<(u64, Vec<u8>)>,
    ) {
        let mut ticks = interval(TICK);
        // What was missed while no name was in use is not made up for.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let is_busy = self.speak();
            self.answer();
            tokio::select! {
                request = requests.recv(), if !is_busy => match request {
                    Some(request) => self.take(request).await,
                    None => return,
                },
                Some((connection, frame)) = frames.recv() => self.poster.heard(connection, &frame),
                _ = ticks.tick(), if !self.poster.is_empty() => {
                    self.poster.tick(self.started.elapsed());
                }
                () = sleep(BUSY), if is_busy => {}
            }
        }
    }

    async fn take(&mut self, request: Request) {
        let Request {
            name,
            claim,
            wish,
            answer,
        } = request;
        // A connection of its own would end a program's that speaks under this name.
        let now = self.started.elapsed();
        if !self.poster.has(now, &name) && self.is_present(&name).await {
            // Whoever asked may have gone.
            answer.send(Outcome::NameInUse).ok();
            return;
        }
        self.newest += 1;
        let ticket = Ticket(self.newest);
        let sequence = match &wish {
            Wish::Post { sequence, .. } => Some(*sequence),
            Wish::Join => None,
        };
        let now = self.started.elapsed();
        self.poster.wish(now, &name, claim.as_deref(), ticket, wish);
        let asked = Asked {
            name,
            sequence,
            answer,
        };
        self.tickets.insert(ticket, asked);
        self.forget_the_gone();
    }

    fn forget_the_gone(&mut self) {
        let gone = (self.tickets).extract_if(|_, asked| asked.answer.is_closed());
        for (ticket, asked) in gone {
            self.poster.forget(&asked.name, ticket, asked.sequence);
        }
    }

    async fn is_present(&self, name: &Name) -> bool {
        let (source, name) = (Arc::clone(&self.source), name.clone());
        let member = tokio::task::spawn_blocking(move || source.member(&name)).await;
        member.ok().flatten().is_some_and(|member| member.present)
    }

    /// Says what there is to say; `true`: the broker is busy, and there is more.
    fn speak(&mut self) -> bool {
        while let Some((connection, word, frame)) = self.poster.next_word() {
            match self.in_process.say(connection, &frame) {
                Ok(()) => {}
                Err(NotTaken::Busy) => {
                    self.poster.put_back(connection, word);
                    return true;
                }
                Err(NotTaken::Stopped) => self.poster.stopped(),
            }
        }
        false
    }

    fn answer(&mut self) {
        for (ticket, outcome) in self.poster.outcomes() {
            if let Some(asked) = self.tickets.remove(&ticket) {
                // Whoever asked may have gone.
                asked.answer.send(outcome).ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_wait_are_bounded_in_bytes() {
        let (wishes, _requests) = mpsc::channel(1);
        let posting = Posting::with_room(wishes.clone(), 4 << 20);
        let payload = Bytes::from(vec![0; 4 << 20]);
        let mut held: Vec<_> = (0..LARGEST)
            .map(|_| posting.hold(payload.clone()).unwrap())
            .collect();
        assert!(posting.hold(Bytes::new()).is_none());
        let copy = held.last().cloned();
        held.pop();
        assert!(posting.hold(payload.clone()).is_none());
        drop(copy);
        assert!(posting.hold(payload).is_some());
        let posting = Posting::with_room(wishes, 10);
        let held: Vec<_> = std::iter::from_fn(|| posting.hold(Bytes::new())).collect();
        assert_eq!(held.len(), ROOM / BESIDES);
    }
}
