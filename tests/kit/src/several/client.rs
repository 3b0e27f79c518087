//! A native member in a world of several brokers: it publishes what it has to say, each message
//! once, takes the order as it comes, and goes to another broker when its own is silent.

use orden::core::Time;
use orden::wire::batch;
use orden::wire::native::{self, Attempt, Hello, PublishFrame, Start};
use orden::wire::reply::{self, BrokerMessage, Code, Refusal};
use orden::wire::{ClientSequence, LogId, Name, OrderNumber};

use crate::random::Random;

/// Silence after which it tries another broker.
const PATIENCE: u64 = 900_000;
/// How often it looks at the time.
pub(super) const LOOK_EVERY: u64 = 200_000;
const WINDOW: u64 = 4;
/// So many brokers are asked for what one does not keep any more.
const ELSEWHERE: u32 = 4;

/// See the module.
pub(super) struct Client {
    pub name: String,
    pub dice: Random,
    /// What it has to say in all.
    pub says: u64,
    /// The first message that is not confirmed.
    pub unconfirmed: u64,
    sent: u64,
    /// Which number each of its messages was confirmed with.
    pub confirmed: Vec<u64>,
    log_id: LogId,
    /// What it was delivered, from its first number on.
    pub begin: Option<u64>,
    /// `None`: a broker has said that it is not kept any more.
    pub received: Vec<Option<(Vec<u8>, Vec<u8>)>>,
    /// How often it has gone elsewhere for what is not kept any more.
    asked_elsewhere: u32,
    /// How often a broker has said so.
    pub trimmed: u64,
    /// How often a broker that was cut off has sent it elsewhere.
    pub sent_away: u64,
    /// The broker that it is connected to, and the number of that connection.
    pub at: Option<(usize, u64)>,
    pub connections: u64,
    /// What its process is known by.
    life: u64,
    is_welcome: bool,
    heard: Time,
    /// It does nothing before.
    sleeps_until: Time,
}

/// What it wants done.
#[derive(Debug)]
pub(super) enum Wish {
    /// A frame is to go to its broker.
    Send(Vec<u8>),
    /// It wants a connection to any broker.
    Connect,
}

impl Client {
    pub(super) fn new(name: String, says: u64, seed: u64) -> Self {
        Self {
            name,
            dice: Random::new(seed),
            says,
            unconfirmed: 1,
            sent: 0,
            confirmed: Vec::new(),
            log_id: LogId(0),
            begin: None,
            received: Vec::new(),
            asked_elsewhere: 0,
            trimmed: 0,
            sent_away: 0,
            at: None,
            connections: 0,
            life: seed | 1,
            is_welcome: false,
            heard: Time(0),
            sleeps_until: Time(0),
        }
    }

    fn next(&self) -> Option<u64> {
        Some(self.begin? + self.received.len() as u64)
    }

    /// It has a connection.
    pub(super) fn connected(&mut self, now: Time, broker: usize) -> Vec<Wish> {
        self.connections += 1;
        self.at = Some((broker, self.connections));
        self.is_welcome = false;
        self.heard = now;
        let start = match self.next() {
            Some(next) => Start::Resume(OrderNumber(next)),
            None => Start::Beginning,
        };
        let hello = Hello {
            name: Name::new(self.name.as_bytes()).unwrap(),
            start,
            receive: true,
            observe: false,
            log_id: self.log_id,
            attempt: Some(Attempt {
                life: self.life,
                number: u32::try_from(self.connections).unwrap(),
            }),
        };
        vec![Wish::Send(hello.encode())]
    }

    /// It does nothing until then, and its connection is gone.
    pub(super) fn sleeps(&mut self, until: Time) {
        self.at = None;
        self.sleeps_until = until;
    }

    /// It looks at the time.
    pub(super) fn looks(&mut self, now: Time) -> Vec<Wish> {
        if now < self.sleeps_until {
            return Vec::new();
        }
        let is_silent = now.0.saturating_sub(self.heard.0) > PATIENCE;
        if self.at.is_none() || is_silent || self.dice.one_in(40) {
            self.heard = now;
            return vec![Wish::Connect];
        }
        if !self.is_welcome {
            return Vec::new();
        }
        // What is not confirmed is sent again now and then, as a retry would.
        if self.dice.one_in(4) {
            self.sent = self.unconfirmed - 1;
        }
        let mut wishes = self.publish();
        wishes.push(Wish::Send(native::ping()));
        wishes
    }

    fn publish(&mut self) -> Vec<Wish> {
        let from = self.sent.max(self.unconfirmed - 1) + 1;
        let to = self.says.min(self.unconfirmed - 1 + WINDOW);
        if from > to {
            return Vec::new();
        }
        let mut frame = PublishFrame::new(ClientSequence(from));
        for sequence in from..=to {
            frame.push(format!("{} {sequence}", self.name).as_bytes());
        }
        self.sent = to;
        vec![Wish::Send(frame.finish())]
    }

    fn refused(&mut self, refusal: &Refusal<'_>) -> Vec<Wish> {
        assert_ne!(
            refusal.code,
            Code::LogRegressed,
            "{}: {}",
            self.name,
            refusal.text
        );
        // Its newest hello is never taken for an older one.
        assert_ne!(
            refusal.code,
            Code::Superseded,
            "{}: its newest connection is superseded",
            self.name
        );
        self.sent_away += u64::from(refusal.code == Code::Closing);
        if refusal.code != Code::Trimmed {
            // Perhaps all say that: it tries again when it looks at the time.
            self.at = None;
            return Vec::new();
        }
        if self.asked_elsewhere >= ELSEWHERE {
            // No broker has it.
            while self.next() < Some(refusal.detail) {
                self.received.push(None);
            }
            return Vec::new();
        }
        self.asked_elsewhere += 1;
        self.trimmed += 1;
        self.at = None;
        vec![Wish::Connect]
    }

    /// It hears its broker.
    pub(super) fn hears(&mut self, now: Time, frame: &[u8]) -> Vec<Wish> {
        self.heard = now;
        match reply::decode(frame).expect("a broker says what can be read") {
            BrokerMessage::Welcome(welcome) => {
                let expected = self.next();
                assert!(
                    expected.is_none_or(|next| next == welcome.begin.0),
                    "{} wants {expected:?} and is given {}",
                    self.name,
                    welcome.begin
                );
                self.begin.get_or_insert(welcome.begin.0);
                self.log_id = welcome.log_id;
                self.is_welcome = true;
                let last = welcome.last_sequence.0;
                assert!(
                    last + 1 >= self.unconfirmed,
                    "{}: confirmed and lost",
                    self.name
                );
                self.sent = self.unconfirmed - 1;
                self.publish()
            }
            BrokerMessage::Confirm(runs) => {
                for run in runs {
                    for place in 0..u64::from(run.count) {
                        let (sequence, order) = (run.sequence.0 + place, run.order.0 + place);
                        if sequence < self.unconfirmed {
                            let at = usize::try_from(sequence - 1).unwrap();
                            assert_eq!(self.confirmed[at], order, "{}: two numbers", self.name);
                        } else if sequence == self.unconfirmed {
                            self.unconfirmed += 1;
                            self.confirmed.push(order);
                        }
                    }
                }
                self.publish()
            }
            BrokerMessage::Messages(frame) => {
                for record in batch::records(frame) {
                    let record = record.unwrap();
                    if Some(record.order.0) == self.next() {
                        let (sender, payload) = (record.sender.to_vec(), record.payload.to_vec());
                        self.received.push(Some((sender, payload)));
                        self.asked_elsewhere = 0;
                    } else {
                        assert!(Some(record.order.0) < self.next(), "{}: a gap", self.name);
                    }
                }
                let next = self.next().unwrap_or(0);
                match next.checked_sub(1) {
                    Some(order) => vec![Wish::Send(native::ack(OrderNumber(order)))],
                    None => Vec::new(),
                }
            }
            BrokerMessage::Refusal(refusal) => self.refused(&refusal),
            BrokerMessage::Ping => vec![Wish::Send(native::pong())],
            BrokerMessage::Pong | BrokerMessage::Goodbye => Vec::new(),
        }
    }
}
