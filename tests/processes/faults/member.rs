//! A native member with its history: it publishes, takes deliveries, and goes on where its
//! history ends when it is started again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use orden::client::{Connection, Context};
use orden::core::Time;
use orden::core::participant::{
    Acknowledging, Ending, Event as Told, Limits, Numbering, PublishError, Settings,
};
use orden::net::Address;
use orden::wire::native::Start;
use orden::wire::reply::Code;
use orden::wire::{ClientSequence, LogId, Name, OrderNumber};

use orden_kit::checker::file::{self, Position, Writer};
use orden_kit::checker::history::{Digest, Event, Message};
use orden_kit::random::Random;

/// Where members live: the address they connect to, and what they share in a process.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) context: Context,
    pub(crate) address: Address,
}

/// What a member can be held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It gets to the end.
    Staying,
    /// It is only there at times.
    Passing,
}

/// Who a member is and how it behaves.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: String,
    /// What its history calls it.
    pub(crate) who: String,
    pub(crate) history: PathBuf,
    pub(crate) seed: u64,
    /// How long it waits between messages; `None`: it only listens.
    pub(crate) every: Option<Duration>,
    /// The most bytes of its messages, for most of them.
    pub(crate) bytes: u64,
}

impl Plan {
    pub(crate) fn new(directory: &Path, name: &str, seed: u64) -> Self {
        Self {
            name: name.to_owned(),
            who: name.to_owned(),
            history: directory.join(format!("{name}.history")),
            seed,
            every: Some(Duration::from_millis(20)),
            bytes: 300,
        }
    }
}

pub(crate) struct Member {
    plan: Plan,
    connection: Connection,
    history: Writer,
    pub(crate) position: Position,
    /// The last message that was handed to the connection.
    published: u64,
    publish_at: Time,
    begun: bool,
    pub(crate) ended: Option<Ending>,
}

impl Member {
    /// Starts, or starts again.
    pub(crate) fn start(place: &Place, plan: &Plan) -> Self {
        file::mend(&plan.history);
        let position = Position::read(&plan.history);
        let mut settings = Settings::new(Name::new(plan.name.as_bytes()).expect("a name"));
        if let Some((log_id, next)) = position.next {
            settings.start = Start::Resume(OrderNumber(next));
            settings.log_id = LogId(log_id);
        }
        settings.numbering = Numbering::From(ClientSequence(position.confirmed + 1));
        // Half of them acknowledge what they have, half what they have recorded.
        if plan.seed.is_multiple_of(2) {
            settings.acknowledging = Acknowledging::ByApplication;
        }
        let connection = Connection::open(&place.context, &place.address, settings, impatient());
        let mut history = Writer::open(&plan.history);
        history.note(Event::Start {
            who: plan.who.clone(),
            position: position.next.map(|(_, next)| next),
            keeps_sends: true,
        });
        Self {
            plan: plan.clone(),
            connection: connection.expect("a socket"),
            history,
            position,
            published: position.confirmed,
            publish_at: Time::default(),
            begun: false,
            ended: None,
        }
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// When to give it a turn at the latest.
    pub(crate) fn deadline(&self, quiet: bool) -> Option<Time> {
        let publish =
            (!quiet && self.begun && self.plan.every.is_some()).then_some(self.publish_at);
        self.connection.deadline().into_iter().chain(publish).min()
    }

    /// Does what there is to do. When `quiet`, it says nothing new.
    pub(crate) fn turn(&mut self, now: Time, quiet: bool) {
        if self.begun {
            self.repeat_what_was_said();
            if !quiet && self.plan.every.is_some() && self.publish_at <= now {
                self.publish(now);
            }
        }
        self.connection.pump(now).expect("the sockets work");
        self.take_events();
        while let Some(deliveries) = self.connection.next_deliveries(now).expect("they work") {
            // The first deliveries may come in the same breath as the welcome.
            self.take_events();
            for record in deliveries.records() {
                let message = Message::of_record(&record.expect("the broker sends no nonsense"));
                let who = self.plan.who.clone();
                self.note(Event::Deliver { who, message });
            }
            self.history.keep();
            if self.plan.seed.is_multiple_of(2) {
                let last = OrderNumber(deliveries.numbers().end.0 - 1);
                self.connection
                    .acknowledge(now, last)
                    .expect("it was given");
            }
        }
        self.take_events();
        self.history.keep();
        self.connection.pump(now).expect("the sockets work");
    }

    fn take_events(&mut self) {
        while let Some(told) = self.connection.next_event() {
            match told {
                Told::Welcomed(welcome) => {
                    if !self.begun {
                        self.begun = true;
                        self.note(Event::Open {
                            who: self.plan.who.clone(),
                            resumed: welcome.resumed,
                            begin: welcome.begin.0,
                            log: welcome.log_id.0,
                        });
                    }
                }
                Told::Confirmed(run) => {
                    for step in 0..u64::from(run.count) {
                        self.note(Event::Confirm {
                            who: self.plan.who.clone(),
                            sequence: run.sequence.0 + step,
                            order: run.order.0 + step,
                        });
                    }
                }
                Told::Ended(ending) => self.ended = Some(ending),
                Told::Away
                | Told::NoSpace
                | Told::Unreachable(_)
                // It serves its members to the end.
                | Told::Refused {
                    code: Code::Closing,
                    ..
                } => {}
                told => panic!("{}: {told:?}", self.plan.name),
            }
        }
    }

    /// Hands over again what its history says was said and not confirmed.
    fn repeat_what_was_said(&mut self) {
        while self.published < self.position.sent {
            let text = payload(&self.plan, self.published + 1);
            match self.connection.try_publish(&text) {
                Ok(sequence) => self.published = sequence.0,
                Err(_) => return,
            }
        }
    }

    fn publish(&mut self, now: Time) {
        self.publish_at = now + self.plan.every.unwrap_or_default();
        let sequence = self.position.sent + 1;
        let window = 1000;
        if self.published < self.position.sent || sequence > self.position.confirmed + window {
            return;
        }
        let text = payload(&self.plan, sequence);
        self.note(Event::Send {
            who: self.plan.who.clone(),
            sequence,
            digest: Digest::of(&[self.plan.name.as_bytes(), b": ", &text]),
        });
        self.history.keep();
        match self.connection.try_publish(&text) {
            Ok(given) => {
                assert_eq!(given.0, sequence, "{}'s own numbers", self.plan.name);
                self.published = sequence;
            }
            Err(PublishError::WindowFull | PublishError::Over) => {}
            Err(error) => panic!("{}: {error}", self.plan.name),
        }
    }

    fn note(&mut self, event: Event) {
        self.position.note(&event);
        self.history.note(event);
    }
}

/// The message of a member that is empty.
const EMPTY: u64 = 30;

/// What a member says as number `sequence`: always the same, so that it can say it again, and
/// never what it says as another.
pub(crate) fn payload(plan: &Plan, sequence: u64) -> Vec<u8> {
    let mut random = Random::new(plan.seed ^ sequence.wrapping_mul(0x2545_F491_4F6C_DD1D));
    let number = format!("{sequence} ");
    let length = match random.below(200) {
        _ if sequence == EMPTY => 0,
        1 => 65_535 + random.below(3),
        2..5 => 8_191 + random.below(3),
        _ => number.len() as u64 + random.below(plan.bytes + 1),
    };
    let length = usize::try_from(length).expect("a length");
    let mut bytes: Vec<u8> = (0..length.div_ceil(8))
        .flat_map(|_| random.next().to_be_bytes())
        .collect();
    bytes.truncate(length);
    // Text, so that JSON members see the same as others.
    for byte in &mut bytes {
        *byte = b' ' + (*byte & 63);
    }
    for (byte, digit) in bytes.iter_mut().zip(number.bytes()) {
        *byte = digit;
    }
    bytes
}

/// Limits that make faults felt within seconds.
fn impatient() -> Limits {
    Limits {
        publish_retry: Duration::from_millis(500),
        publish_retry_most: Duration::from_secs(2),
        no_space_retry_most: Duration::from_secs(1),
        hello_retry: Duration::from_millis(500),
        hello_retry_most: Duration::from_secs(2),
        ping_after: Duration::from_millis(700),
        stale_after: Duration::from_millis(2500),
        ..Limits::default()
    }
}
