//! Those who post over HTTP, as native members within this process: the machine.
//!
//! A name has one session and one connection, whoever posts under it. Its sequences are the
//! caller's own, so that a message that is posted again, by a browser that did not hear or after
//! a restart of the broker, gets the number it had. It has no socket, clock or thread.
//!
//! Over one connection a sequence is said once for each answer that comes, so that no answer is
//! taken for another message's: what has to be said again goes over a new connection.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;

use super::session::{Post, Session, Ticket, hello};
use crate::wire::native::{self, Goodbye, PublishFrame};
use crate::wire::reply::{self, BrokerMessage, Code, Refusal};
use crate::wire::sessions::SequenceRun;
use crate::wire::{ClientSequence, Name};

/// Names that may have a session here at a time.
const SESSIONS: usize = 1024;
/// Time without a post after which a name counts as away.
const IDLE: Duration = Duration::from_mins(5);
/// Time after which an answer is given up; its request has ended by then.
const ANSWER: Duration = Duration::from_mins(1);
/// How long a name that was let go counts as ours: until the broker has heard of it.
const LET_GO: Duration = Duration::from_secs(10);

/// What is wanted of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// That it is open; answered by the last sequence that was ordered.
    Join,
    /// That a message is ordered, once.
    Post { sequence: u64, payload: Bytes },
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
    /// The broker has not answered in time.
    NoAnswer,
}

/// The sessions of those who post. Time is told in durations since any one moment.
#[derive(Debug, Default)]
pub(super) struct Poster {
    sessions: HashMap<Name, Session>,
    connections: HashMap<u64, Name>,
    /// The newest connection's number.
    newest: u64,
    /// What the broker is to be told, by connection.
    words: VecDeque<(u64, Word)>,
    /// Names that were let go lately, and when.
    let_go: VecDeque<(Duration, Name)>,
    outcomes: Vec<(Ticket, Outcome)>,
}

/// Something to say to the broker.
#[derive(Debug)]
pub(super) enum Word {
    Frame(Vec<u8>),
    /// A message, if it is still waited for. Its payload lies with those who wait.
    Post {
        sequence: u64,
        first: Ticket,
    },
}

impl Poster {
    /// Whether a name has a session here, or had one so lately that the broker may not know yet.
    pub(super) fn has(&self, now: Duration, name: &Name) -> bool {
        let lately = |(at, gone): &(Duration, Name)| now < *at + LET_GO && gone == name;
        self.sessions.contains_key(name) || self.let_go.iter().any(lately)
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
        if !self.sessions.contains_key(name) {
            if self.sessions.len() >= SESSIONS && !self.make_room(now) {
                let text = "too many names post here";
                return self.refuse(ticket, Code::LimitReached, SESSIONS as u64, text);
            }
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
        match (wish, session.last) {
            (Wish::Join, Some(last)) => self.outcomes.push((ticket, Outcome::Joined(last))),
            (Wish::Join, None) => session.joins.push((ticket, now)),
            (Wish::Post { sequence, payload }, last) => {
                if let Some(post) = session.posts.get_mut(&sequence) {
                    if post.payload == payload {
                        return post.tickets.push(ticket);
                    }
                    let text = "another message waits under this sequence";
                    return self.refuse(ticket, Code::SequenceReused, sequence, text);
                }
                let post = Post::new(now, ticket, payload);
                session.posts.insert(sequence, post);
                if last.is_some() {
                    let first = ticket;
                    let word = Word::Post { sequence, first };
                    self.words.push_back((session.connection, word));
                }
            }
        }
    }

    /// A request has ended without an answer. What was posted stays: its sequence is in use.
    pub(super) fn forget(&mut self, name: &Name, ticket: Ticket, sequence: Option<u64>) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        match sequence.and_then(|sequence| session.posts.get_mut(&sequence)) {
            Some(post) => post.tickets.retain(|&other| other != ticket),
            None => session.joins.retain(|&(other, _)| other != ticket),
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
            Ok(BrokerMessage::Ping) => self.say(connection, native::pong()),
            Ok(BrokerMessage::Goodbye | BrokerMessage::Pong | BrokerMessage::Messages(_)) => {}
            // The broker's own frame, from within this process.
            Err(error) => log::error!("http: a frame of the broker's: {error}"),
        }
    }

    /// Lets go of names that were not used for long, and gives up answers that do not come.
    pub(super) fn tick(&mut self, now: Duration) {
        self.let_go.retain(|(at, _)| now < *at + LET_GO);
        let all = || self.sessions.iter();
        let overdue = all().filter(|(_, session)| session.waits_since(now.saturating_sub(ANSWER)));
        let overdue: Vec<Name> = overdue.map(|(name, _)| name.clone()).collect();
        let idle = all().filter(|(_, it)| !it.is_waiting() && now >= it.used + IDLE);
        let idle: Vec<Name> = idle.map(|(name, _)| name.clone()).collect();
        for name in overdue {
            // What comes too late must not be taken for a later message's number.
            self.reconnect(&name);
            if let Some(session) = self.sessions.get_mut(&name) {
                let gone = session.take_tickets().into_iter();
                self.outcomes
                    .extend(gone.map(|ticket| (ticket, Outcome::NoAnswer)));
            }
        }
        for name in idle {
            self.let_go(now, &name);
        }
    }

    /// The broker takes nothing more: all that wait are told.
    pub(super) fn stopped(&mut self) {
        let names: Vec<Name> = self.sessions.keys().cloned().collect();
        for name in names {
            self.end(&name, Code::Closing, 0, "the broker goes down");
        }
        self.words.clear();
    }

    /// The next thing to say, as a frame; none if nothing waits.
    pub(super) fn next_word(&mut self) -> Option<(u64, Word, Vec<u8>)> {
        while let Some((connection, word)) = self.words.pop_front() {
            let frame = match &word {
                Word::Frame(frame) => Some(frame.clone()),
                Word::Post { sequence, first } => self.waiting(connection, *sequence, *first),
            };
            if let Some(frame) = frame {
                return Some((connection, word, frame));
            }
        }
        None
    }

    /// Takes back what was not taken.
    pub(super) fn put_back(&mut self, connection: u64, word: Word) {
        self.words.push_front((connection, word));
    }

    /// What has become of wishes since the last time.
    pub(super) fn outcomes(&mut self) -> Vec<(Ticket, Outcome)> {
        std::mem::take(&mut self.outcomes)
    }

    fn open(&mut self, now: Duration, name: &Name) {
        self.newest += 1;
        self.connections.insert(self.newest, name.clone());
        self.say(self.newest, hello(name));
        self.sessions
            .insert(name.clone(), Session::new(self.newest, now));
    }

    /// Lets go of the name that was not used for the longest time; `false`: all of them wait.
    fn make_room(&mut self, now: Duration) -> bool {
        let idle = (self.sessions.iter()).filter(|(_, session)| !session.is_waiting());
        let longest = idle.min_by_key(|(_, session)| session.used);
        let Some(name) = longest.map(|(name, _)| name.clone()) else {
            return false;
        };
        self.let_go(now, &name);
        true
    }

    fn let_go(&mut self, now: Duration, name: &Name) {
        if let Some(session) = self.close(name) {
            self.say(session.connection, Goodbye::Away.encode());
            if self.let_go.len() >= SESSIONS {
                self.let_go.pop_front();
            }
            self.let_go.push_back((now, name.clone()));
        }
    }

    /// Goes on over a new connection, which ends the one before it.
    fn reconnect(&mut self, name: &Name) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        self.newest += 1;
        self.connections.remove(&session.connection);
        self.connections.insert(self.newest, name.clone());
        session.connection = self.newest;
        session.last = None;
        self.say(self.newest, hello(name));
    }

    fn say(&mut self, connection: u64, frame: Vec<u8>) {
        self.words.push_back((connection, Word::Frame(frame)));
    }

    /// The frame of a message that is still waited for.
    fn waiting(&self, connection: u64, sequence: u64, first: Ticket) -> Option<Vec<u8>> {
        let session = self.sessions.get(self.connections.get(&connection)?)?;
        let post = session.posts.get(&sequence)?;
        (post.first == first).then(|| publish(sequence, &post.payload))
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
        for (ticket, _) in session.joins.drain(..) {
            self.outcomes.push((ticket, Outcome::Joined(last)));
        }
        for (&sequence, post) in &session.posts {
            let first = post.first;
            let word = Word::Post { sequence, first };
            self.words.push_back((session.connection, word));
        }
    }

    fn confirmed(&mut self, name: &Name, run: SequenceRun) {
        let Some(session) = self.sessions.get_mut(name) else {
            return;
        };
        let (first, count) = (run.sequence.0, u64::from(run.count));
        let end = first.saturating_add(count);
        if let Some(last) = &mut session.last {
            *last = (*last).max(end.saturating_sub(1));
        }
        for (sequence, post) in session.take(|sequence| (first..end).contains(&sequence)) {
            let outcome = Outcome::Ordered(run.order.plus(sequence - first).0);
            for ticket in post.tickets {
                self.outcomes.push((ticket, outcome.clone()));
            }
        }
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
            Code::NoSession => self.reconnect(name),
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
        for (_, post) in session.take(is_meant) {
            for ticket in post.tickets {
                self.refuse(ticket, refusal.code, refusal.detail, refusal.text);
            }
        }
    }

    /// A session is over: all that wait for it are told why.
    fn end(&mut self, name: &Name, code: Code, detail: u64, text: &str) {
        let Some(mut session) = self.close(name) else {
            return;
        };
        if code == Code::Malformed {
            // Otherwise the name would count as a program's.
            self.say(session.connection, Goodbye::Away.encode());
        }
        for ticket in session.take_tickets() {
            self.refuse(ticket, code, detail, text);
        }
    }

    fn refuse(&mut self, ticket: Ticket, code: Code, detail: u64, text: &str) {
        let text = text.to_owned();
        self.outcomes
            .push((ticket, Outcome::Refused { code, detail, text }));
    }
}

fn publish(sequence: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = PublishFrame::new(ClientSequence(sequence));
    frame.push(payload);
    frame.finish()
}

#[cfg(test)]
#[path = "poster_tests.rs"]
mod tests;
