//! Those who post over HTTP, as native members within this process: the machine.
//!
//! A name has one session and one connection, whoever posts under it. Its sequences are the
//! caller's own, so that a message that is posted again, by a browser that did not hear or after
//! a restart of the broker, gets the number it had. It has no socket, clock or thread.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::wire::native::{self, Goodbye, Hello, PublishFrame, Start};
use crate::wire::reply::{self, BrokerMessage, Code, Refusal};
use crate::wire::sessions::SequenceRun;
use crate::wire::{ClientSequence, LogId, Name};

/// Names that may have a session here at a time.
const SESSIONS: usize = 1024;
/// Time without a post after which a name counts as away.
const IDLE: Duration = Duration::from_mins(5);
/// Time after which an answer is given up; whoever asked has gone by then.
const ANSWER: Duration = Duration::from_mins(1);

/// Somebody who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket(pub(super) u64);

/// What is wanted of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// That it is open; answered by the last sequence that was ordered.
    Join,
    /// That a message is ordered, once.
    Post { sequence: u64, payload: Vec<u8> },
}

/// What has become of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The session is open, and this is the last sequence that was ordered.
    Joined(u64),
    /// The message has this number.
    Ordered(u64),
    /// Nothing has come of it, for the reasons of the native dialect.
    Refused {
        code: Code,
        detail: u64,
        text: String,
    },
    /// A program is connected under this name.
    NameInUse,
}

/// The sessions of those who post. Time is told in durations since any one moment.
#[derive(Debug, Default)]
pub(super) struct Poster {
    sessions: HashMap<Name, Session>,
    connections: HashMap<u64, Name>,
    /// The newest connection's number.
    newest: u64,
    /// Frames for the broker, by connection.
    frames: VecDeque<(u64, Vec<u8>)>,
    outcomes: Vec<(Ticket, Outcome)>,
}

#[derive(Debug)]
struct Session {
    connection: u64,
    /// The last sequence that was ordered; `None` until the broker has answered the hello.
    last: Option<u64>,
    /// Which page has the name.
    claim: Option<String>,
    waiting: Vec<Waiting>,
    used: Duration,
}

#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    wish: Wish,
    since: Duration,
}

impl Poster {
    /// Whether a name has a session here.
    pub(super) fn has(&self, name: &Name) -> bool {
        self.sessions.contains_key(name)
    }

    /// Whether no name has one.
    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Takes a wish. A page that joins with a claim has the name from then on; what an earlier
    /// one posts with its own is refused, as it would use the same sequences.
    pub(super) fn wish(
        &mut self,
        now: Duration,
        name: &Name,
        claim: Option<&str>,
        ticket: Ticket,
        wish: Wish,
    ) {
        if !self.sessions.contains_key(name) && self.sessions.len() >= SESSIONS {
            let text = "too many names post here";
            return self.refuse(ticket, Code::LimitReached, SESSIONS as u64, text);
        }
        if !self.sessions.contains_key(name) {
            self.open(now, name);
        }
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        match (&wish, claim, &session.claim) {
            (Wish::Post { .. }, Some(claim), Some(current)) if claim != current => {
                let text = "another page has taken this name";
                return self.refuse(ticket, Code::Superseded, 0, text);
            }
            // After a restart of the broker also who posts first has it.
            (_, Some(claim), _) => session.claim = Some(claim.to_owned()),
            (_, None, _) => {}
        }
        session.used = now;
        match (&wish, session.last) {
            (Wish::Join, Some(last)) => self.outcomes.push((ticket, Outcome::Joined(last))),
            (Wish::Post { sequence, payload }, Some(_)) => {
                self.frames
                    .push_back((session.connection, publish(*sequence, payload)));
                session.wait(now, ticket, wish);
            }
            (_, None) => session.wait(now, ticket, wish),
        }
    }

    /// Takes a frame of the broker's.
    pub(super) fn heard(&mut self, connection: u64, frame: &[u8]) {
        let Some(name) = self.connections.get(&connection).cloned() else {
            return; // The session has gone; this crossed its goodbye.
        };
        match reply::decode(frame) {
            Ok(BrokerMessage::Welcome(welcome)) => self.welcomed(&name, welcome.last_sequence.0),
            Ok(BrokerMessage::Confirm(runs)) => {
                for run in runs {
                    self.confirmed(&name, run);
                }
            }
            Ok(BrokerMessage::Refusal(refusal)) => self.refused(&name, refusal),
            Ok(BrokerMessage::Ping) => self.frames.push_back((connection, native::pong())),
            Ok(BrokerMessage::Goodbye | BrokerMessage::Pong | BrokerMessage::Messages(_)) => {}
            // The broker's own frame, from within this process.
            Err(error) => log::error!("http: a frame of the broker's: {error}"),
        }
    }

    /// Lets go of names that were not used for long, and of wishes that are not waited for.
    pub(super) fn tick(&mut self, now: Duration) {
        for session in self.sessions.values_mut() {
            session
                .waiting
                .retain(|waiting| now < waiting.since + ANSWER);
        }
        let idle = |session: &Session| session.waiting.is_empty() && now >= session.used + IDLE;
        let idle = self.sessions.iter().filter(|(_, session)| idle(session));
        let idle: Vec<Name> = idle.map(|(name, _)| name.clone()).collect();
        for name in idle {
            if let Some(session) = self.close(&name) {
                self.frames
                    .push_back((session.connection, Goodbye::Away.encode()));
            }
        }
    }

    /// The broker takes nothing more: all that wait are told.
    pub(super) fn stopped(&mut self) {
        self.frames.clear();
        let names: Vec<Name> = self.sessions.keys().cloned().collect();
        for name in names {
            self.end(&name, Code::Closing, 0, "the broker goes down");
        }
    }

    /// The next frame for the broker, if there is one.
    pub(super) fn next_frame(&mut self) -> Option<(u64, Vec<u8>)> {
        self.frames.pop_front()
    }

    /// Takes back a frame that was not taken.
    pub(super) fn put_back(&mut self, frame: (u64, Vec<u8>)) {
        self.frames.push_front(frame);
    }

    /// What has become of wishes since the last time.
    pub(super) fn outcomes(&mut self) -> Vec<(Ticket, Outcome)> {
        std::mem::take(&mut self.outcomes)
    }

    fn open(&mut self, now: Duration, name: &Name) {
        self.newest += 1;
        self.connections.insert(self.newest, name.clone());
        self.frames.push_back((self.newest, hello(name)));
        let session = Session {
            connection: self.newest,
            last: None,
            claim: None,
            waiting: Vec::new(),
            used: now,
        };
        self.sessions.insert(name.clone(), session);
    }

    fn close(&mut self, name: &Name) -> Option<Session> {
        let session = self.sessions.remove(name)?;
        self.connections.remove(&session.connection);
        Some(session)
    }

    fn welcomed(&mut self, name: &Name, last: u64) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        session.last = Some(last);
        for Waiting { ticket, wish, .. } in &session.waiting {
            match wish {
                Wish::Join => self.outcomes.push((*ticket, Outcome::Joined(last))),
                Wish::Post { sequence, payload } => {
                    self.frames
                        .push_back((session.connection, publish(*sequence, payload)));
                }
            }
        }
        session.waiting.retain(|waiting| waiting.wish != Wish::Join);
    }

    fn confirmed(&mut self, name: &Name, run: SequenceRun) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        let (first, count) = (run.sequence.0, u64::from(run.count));
        if let Some(last) = &mut session.last {
            *last = (*last).max(first + count - 1);
        }
        session.waiting.retain(|waiting| {
            let within = match &waiting.wish {
                Wish::Post { sequence, .. } => sequence.checked_sub(first).filter(|&at| at < count),
                Wish::Join => None,
            };
            let Some(at) = within else {
                return true;
            };
            let outcome = Outcome::Ordered(run.order.plus(at).0);
            self.outcomes.push((waiting.ticket, outcome));
            false
        });
    }

    fn refused(&mut self, name: &Name, refusal: Refusal<'_>) {
        let Refusal { code, detail, text } = refusal;
        match code {
            Code::SequenceGap => self.refuse_posts(name, &refusal, |sequence| sequence > detail),
            Code::SequenceReused => {
                self.refuse_posts(name, &refusal, |sequence| sequence == detail);
            }
            Code::NoSpace if self.is_open(name) => {
                self.refuse_posts(name, &refusal, |sequence| sequence >= detail);
            }
            // It goes down, but what is said until then counts.
            Code::Closing if self.is_open(name) => {}
            // The broker has taken the name for away: what waits is said again after the hello.
            Code::NoSession => {
                if let Some(session) = self.sessions.get_mut(name) {
                    session.last = None;
                    self.frames.push_back((session.connection, hello(name)));
                }
            }
            _ => self.end(name, code, detail, text),
        }
    }

    fn is_open(&self, name: &Name) -> bool {
        self.sessions
            .get(name)
            .is_some_and(|session| session.last.is_some())
    }

    fn refuse_posts(&mut self, name: &Name, refusal: &Refusal<'_>, is_meant: impl Fn(u64) -> bool) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        session.waiting.retain(|waiting| match &waiting.wish {
            Wish::Post { sequence, .. } if is_meant(*sequence) => {
                let outcome = Outcome::Refused {
                    code: refusal.code,
                    detail: refusal.detail,
                    text: refusal.text.to_owned(),
                };
                self.outcomes.push((waiting.ticket, outcome));
                false
            }
            _ => true,
        });
    }

    /// A session is over: all that wait for it are told why.
    fn end(&mut self, name: &Name, code: Code, detail: u64, text: &str) {
        for waiting in self
            .close(name)
            .into_iter()
            .flat_map(|session| session.waiting)
        {
            self.refuse(waiting.ticket, code, detail, text);
        }
    }

    fn refuse(&mut self, ticket: Ticket, code: Code, detail: u64, text: &str) {
        let text = text.to_owned();
        self.outcomes
            .push((ticket, Outcome::Refused { code, detail, text }));
    }
}

impl Session {
    fn wait(&mut self, since: Duration, ticket: Ticket, wish: Wish) {
        self.waiting.push(Waiting {
            ticket,
            wish,
            since,
        });
    }
}

fn hello(name: &Name) -> Vec<u8> {
    Hello {
        name: name.clone(),
        start: Start::Now,
        receive: false,
        observe: false,
        log_id: LogId(0),
        attempt: None,
    }
    .encode()
}

fn publish(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = PublishFrame::new(ClientSequence(sequence));
    frame.push(payload);
    frame.finish()
}
