//! `POST /messages` and `POST /sessions`: the task around the machine of those who post.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::poster::{Outcome, Poster, Ticket, Wish};
use super::seam::Source;
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

/// Speaks to the task.
#[derive(Clone)]
pub(super) struct Posting(mpsc::Sender<Request>);

struct Request {
    name: Name,
    claim: Option<String>,
    wish: Wish,
    answer: oneshot::Sender<Outcome>,
}

impl Posting {
    /// Starts the task.
    pub(super) fn start(in_process: InProcess, source: Arc<dyn Source>) -> Self {
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
        Self(wishes)
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
            self.0.send(request).await.ok()?;
            outcome.await.ok()
        };
        timeout(PATIENCE, asked).await.ok().flatten()
    }
}

struct Task {
    poster: Poster,
    in_process: InProcess,
    source: Arc<dyn Source>,
    tickets: HashMap<Ticket, oneshot::Sender<Outcome>>,
    newest: u64,
    started: Instant,
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
                request = requests.recv() => match request {
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
        if !self.poster.has(&name) && self.is_present(&name).await {
            // Whoever asked may have gone.
            answer.send(Outcome::NameInUse).ok();
            return;
        }
        self.newest += 1;
        let ticket = Ticket(self.newest);
        self.tickets.insert(ticket, answer);
        let now = self.started.elapsed();
        self.poster.wish(now, &name, claim.as_deref(), ticket, wish);
        // Of those who have gone meanwhile.
        self.tickets.retain(|_, answer| !answer.is_closed());
    }

    async fn is_present(&self, name: &Name) -> bool {
        let (source, name) = (Arc::clone(&self.source), name.clone());
        let member = tokio::task::spawn_blocking(move || source.member(&name)).await;
        member.ok().flatten().is_some_and(|member| member.present)
    }

    /// Says what there is to say; `true`: the broker is busy, and there is more.
    fn speak(&mut self) -> bool {
        while let Some((connection, frame)) = self.poster.next_frame() {
            match self.in_process.say(connection, &frame) {
                Ok(()) => {}
                Err(NotTaken::Busy) => {
                    self.poster.put_back((connection, frame));
                    return true;
                }
                Err(NotTaken::Stopped) => self.poster.stopped(),
            }
        }
        false
    }

    fn answer(&mut self) {
        for (ticket, outcome) in self.poster.outcomes() {
            if let Some(answer) = self.tickets.remove(&ticket) {
                // Whoever asked may have gone.
                answer.send(outcome).ok();
            }
        }
    }
}
