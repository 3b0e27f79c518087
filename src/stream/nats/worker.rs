//! The one thread that speaks to NATS: what is asked for, what comes, and a look at the stream once
//! a second.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::connection::State;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::appending::{self, Append, Unanswered, answer};
use super::error::Error;
use super::fitness::{judge, losses};
use super::info::Info;
use super::monitor;
use super::options::{Make, Options};
use super::outlet::Outlet;
use super::reading::{self, position_of};
use super::session::{NoAnswer, Session};
use super::watch::Watch;
use crate::stream::StreamEvent;
use crate::wire::Position;

const LOOK: Duration = Duration::from_secs(1);
/// While the stream is down: that it is back is to be known at once.
const LOOK_DOWN: Duration = Duration::from_millis(100);
/// Longer than an election takes: a server that knows of no leader for so long is cut off.
const ELECTION: Duration = Duration::from_secs(10);
/// An append is answered within this time, be it by a refusal, or its leader is cut off.
const ANSWERED: Duration = Duration::from_secs(3);
const MONITOR: Duration = Duration::from_secs(10);

/// What is asked for, besides appends.
#[derive(Clone, Copy)]
pub(super) enum Request {
    Fetch(Position, u32, u32),
    ReadAgain(Position),
    FindSnapshot,
    Purge(Position),
}

/// A stream that was found and is safe, and what its worker needs.
pub(super) struct Worker {
    options: Options,
    session: Session,
    outlet: Outlet,
    watch: Watch,
    changes: mpsc::Receiver<()>,
    tail: Subscriber,
    answers: Subscriber,
    inbox: String,
    fetching: Option<JoinHandle<()>>,
    /// Since when the server that is reached knows of no leader.
    leaderless: Option<Instant>,
    unanswered: Arc<Unanswered>,
}

impl Worker {
    /// Connects, and looks whether the stream is there and safe.
    pub(super) async fn start(options: Options, outlet: Outlet) -> Result<Self, Error> {
        let (session, changes) = Session::connect(&options).await?;
        session.check_server(&options)?;
        if options.make == Make::Anew {
            session.delete(&options).await?;
        }
        let found = session.find(&options).await?;
        if let Some(why) = judge(&options, &found).or_else(|| losses(&found)) {
            let stream = options.stream_name();
            return Err(Error::Unfit { stream, why });
        }
        let inbox = session.client.new_inbox();
        let [_, tail] = options.tail();
        let subscribe = async |subject: String| {
            let subscribed = session.client.subscribe(subject).await;
            subscribed.map_err(|error| Error::Unreachable(error.to_string()))
        };
        let (tail, answers) = (
            subscribe(tail).await?,
            subscribe(format!("{inbox}.*")).await?,
        );
        Ok(Self {
            watch: Watch::new(&found),
            options,
            session,
            outlet,
            changes,
            tail,
            answers,
            inbox,
            fetching: None,
            leaderless: None,
            unanswered: Arc::default(),
        })
    }

    /// Works until nothing can be asked for any more.
    pub(super) async fn run(
        mut self,
        mut requests: mpsc::Receiver<Request>,
        appends: mpsc::Receiver<Append>,
    ) {
        let (session, outlet) = (self.session.clone(), self.outlet.clone());
        let (subjects, inbox) = (self.options.subjects(), self.inbox.clone());
        let publishing = appending::publish(
            session,
            outlet,
            appends,
            subjects,
            inbox,
            Arc::clone(&self.unanswered),
        );
        let publishing = tokio::spawn(publishing);
        let monitoring = tokio::spawn(monitor(self.options.monitors.clone()));
        let (looked_in, mut looked) = mpsc::channel(1);
        let mut is_looking = false;
        let mut look_at = Instant::now();
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => break,
                },
                Some(message) = self.tail.next() => self.tail(&message),
                Some(message) = self.answers.next() => {
                    self.unanswered.clear();
                    if let Some(event) = answer(&message) {
                        self.outlet.say(event).await;
                    }
                }
                Some(()) = self.changes.recv() => {
                    self.watch.reconnects();
                    self.look_at_connection().await;
                    look_at = Instant::now();
                }
                Some(found) = looked.recv() => {
                    is_looking = false;
                    self.look(found).await;
                    let again = if self.watch.is_up() { LOOK } else { LOOK_DOWN };
                    look_at = Instant::now() + again;
                }
                () = tokio::time::sleep_until(look_at), if !is_looking => {
                    is_looking = true;
                    let (session, looked) = (self.session.clone(), looked_in.clone());
                    tokio::spawn(async move {
                        // Fails when the worker has ended, which is why nobody is told.
                        drop(looked.send(session.info().await).await);
                    });
                }
            }
        }
        monitoring.abort();
        let ending = async {
            drop(publishing.await);
            self.session.client.flush().await
        };
        if !matches!(tokio::time::timeout(LOOK, ending).await, Ok(Ok(()))) {
            log::debug!("the connection to NATS ends unflushed");
        }
    }

    async fn look_at_connection(&mut self) {
        let is_connected = self.session.client.connection_state() == State::Connected;
        if !is_connected && let Some(event) = self.watch.disconnected() {
            self.outlet.say(event).await;
        }
    }

    async fn look(&mut self, found: Result<Info, NoAnswer>) {
        if self.session.client.connection_state() != State::Connected {
            return self.look_at_connection().await;
        }
        for event in self.watch.look(&self.options, found) {
            self.outlet.say(event).await;
        }
        self.leave_the_lonely().await;
    }

    /// A server that knows of no leader for longer than an election takes may be cut off from the
    /// others, and so may be one that says it leads and answers no append: another one is tried.
    async fn leave_the_lonely(&mut self) {
        if self.watch.is_up() {
            self.leaderless = None;
        } else {
            self.leaderless.get_or_insert_with(Instant::now);
        }
        let is_lonely = self.leaderless.is_some_and(|at| at.elapsed() >= ELECTION);
        let is_mute = self.unanswered.age().is_some_and(|age| age >= ANSWERED);
        if is_lonely || is_mute {
            self.leaderless = None;
            self.unanswered.clear();
            log::warn!("this NATS server reaches no leader of the stream: trying another");
            if let Err(error) = self.session.client.force_reconnect().await {
                log::debug!("the connection to NATS cannot be made anew: {error}");
            }
        }
    }

    fn tail(&self, message: &async_nats::Message) {
        if let Some(position) = position_of(message) {
            let record = message.payload.to_vec();
            self.outlet.say_tail(StreamEvent::Tail { position, record });
        }
    }

    fn take(&mut self, request: Request) {
        let (session, outlet) = (self.session.clone(), self.outlet.clone());
        match request {
            Request::Fetch(from, records, bytes) => {
                let fetching = reading::fetch(session, outlet, from, records, bytes);
                let earlier = self.fetching.replace(tokio::spawn(fetching));
                if let Some(earlier) = earlier {
                    earlier.abort();
                }
            }
            Request::ReadAgain(at) => {
                tokio::spawn(reading::read_again(session, outlet, at));
            }
            Request::FindSnapshot => {
                let [_, subject] = self.options.subjects();
                tokio::spawn(reading::find_snapshot(session, outlet, subject));
            }
            Request::Purge(below) => {
                tokio::spawn(purge(session, below));
            }
        }
    }
}

async fn purge(session: Session, below: Position) {
    let request = json!({ "seq": below.0 });
    match session.ask::<Value>("PURGE", &request).await {
        Ok(_) => log::info!("the stream begins at {below} now"),
        Err(error) => log::warn!("the stream cannot be purged below {below}: {error}"),
    }
}

/// Asks every server's monitoring page, and says each change once.
async fn monitor(addresses: Vec<String>) {
    if addresses.is_empty() {
        log::warn!(
            "whether the NATS servers sync before they confirm is not checked: name their \
             monitoring addresses with --stream-monitor"
        );
        return;
    }
    let mut said = vec![None; addresses.len()];
    loop {
        for (address, said) in addresses.iter().zip(&mut said) {
            let found = monitor::look(address).await;
            let now = found.unwrap_or_else(|why| Some(format!("{why}: not checked")));
            if now != *said {
                match &now {
                    Some(why) => log::warn!("{why}"),
                    None => log::info!("{address}: the server syncs before it confirms"),
                }
                *said = now;
            }
        }
        tokio::time::sleep(MONITOR).await;
    }
}
