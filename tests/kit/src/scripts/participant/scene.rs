//! One client's machine, as a script moves it. What happens is written down, a line each.

use std::fmt::Write as _;
use std::time::Duration;

use orden::core::participant::{Event, Input, Limits, Participant, Settings};
use orden::core::{OpenBatch, Time};
use orden::wire::batch;
use orden::wire::native::{Goodbye, Hello, Start};
use orden::wire::record::{Flags, Record};
use orden::wire::{Acked, ClientMessage, ClientSequence, Epoch, LogId, Name, OrderNumber, decode};

/// The broker's log.
pub(crate) const LOG_ID: LogId = LogId(7);
/// More rounds than any command needs: the machine must come to rest.
const ROUNDS_MAX: usize = 1000;

/// See the module.
pub(crate) struct Scene {
    settings: Settings,
    limits: Limits,
    machine: Participant,
    now: Time,
    is_busy: bool,
    is_together: bool,
    /// What has happened since the last look.
    said: String,
}

impl Scene {
    /// A participant without a connection.
    pub(crate) fn new() -> Self {
        let settings = Settings::new(Name::new(b"ana").unwrap());
        let limits = Limits::default();
        Self {
            machine: Participant::new(settings.clone(), limits.clone()),
            settings,
            limits,
            // The machine must not take the beginning of its clock for anything.
            now: Time(86_400_000_000),
            is_busy: false,
            is_together: false,
            said: String::new(),
        }
    }

    /// What has happened since the last time.
    pub(crate) fn take_said(&mut self) -> String {
        std::mem::take(&mut self.said)
    }

    /// Makes another machine, with other settings.
    pub(crate) fn set(&mut self, change: impl FnOnce(&mut Settings, &mut Limits)) {
        change(&mut self.settings, &mut self.limits);
        self.machine = Participant::new(self.settings.clone(), self.limits.clone());
    }

    /// Something happens to the machine.
    pub(crate) fn step(&mut self, input: Input<'_>) {
        let new = self.machine.step(self.now, input);
        if let Some(numbers) = new {
            let (first, last) = (numbers.start, numbers.end.0 - 1);
            self.say(&format!("delivered {first}-{last}"));
        }
        self.settle();
    }

    /// The broker sends a frame.
    pub(crate) fn hear(&mut self, frame: &[u8]) {
        self.step(Input::Frame(frame));
    }

    pub(crate) fn publish(&mut self, payload: &[u8]) {
        if let Err(error) = self.machine.publish(payload) {
            self.say(&format!("not published: {error}"));
        }
    }

    pub(crate) fn process(&mut self, order: OrderNumber) {
        if let Err(error) = self.machine.acknowledge(self.now, order) {
            self.say(&format!("not processed: {error}"));
        }
        self.settle();
    }

    pub(crate) fn flush(&mut self) {
        self.machine.flush();
        self.settle();
    }

    pub(crate) fn leave(&mut self, goodbye: Goodbye) {
        self.machine.leave(goodbye);
        self.settle();
    }

    pub(crate) fn set_busy(&mut self, is_busy: bool) {
        self.is_busy = is_busy;
        self.settle();
    }

    pub(crate) fn together(&mut self) {
        self.is_together = true;
    }

    pub(crate) fn end(&mut self) {
        self.is_together = false;
        self.settle();
    }

    /// Takes what the machine wants sent and told.
    pub(crate) fn settle(&mut self) {
        if self.is_together {
            return;
        }
        while !self.is_busy
            && let Some(frame) = self.machine.next_frame(self.now)
        {
            let shown = shown(&frame);
            self.say(&format!("> {shown}"));
        }
        while let Some(event) = self.machine.next_event() {
            self.say(&event_shown(&event));
        }
    }

    /// Time passes; what has a deadline is done on time.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let start = self.now;
        let end = start + duration;
        for _ in 0..ROUNDS_MAX {
            // While the socket is busy, only silence matters.
            let due = if self.is_busy {
                self.machine.stale_at()
            } else {
                self.machine.deadline()
            };
            let due = due.filter(|&at| at <= end);
            self.now = due.unwrap_or(end).max(self.now);
            let before = std::mem::take(&mut self.said);
            self.step(Input::Tick);
            let said = std::mem::replace(&mut self.said, before);
            for line in said.lines() {
                writeln!(self.said, "+{:?} {line}", self.now.since(start)).unwrap();
            }
            if due.is_none() {
                return;
            }
        }
        let deadline = self.machine.deadline();
        panic!("the machine's deadline never comes: {deadline:?}");
    }

    fn say(&mut self, line: &str) {
        writeln!(self.said, "{line}").unwrap();
    }
}

/// A batch of messages that all have so many bytes.
pub(crate) fn batch(log_id: LogId, first: u64, last: u64, length: usize) -> Vec<u8> {
    let mut open = OpenBatch::new(OrderNumber(first));
    for _ in first..=last {
        open.push(Record {
            order: OrderNumber(0),
            client_sequence: ClientSequence::NONE,
            time: 0,
            flags: Flags::default(),
            sender: b"ben",
            payload: &vec![b'.'; length],
        });
    }
    let chunk = open.seal(log_id, Epoch(1)).unwrap();
    assert!(batch::verify(chunk.bytes()).is_ok());
    chunk.bytes().to_vec()
}

/// A frame to the broker.
fn shown(frame: &[u8]) -> String {
    match decode(frame).unwrap() {
        ClientMessage::Hello(hello) => hello_shown(&hello),
        ClientMessage::Publish(publish) => {
            let texts = publish.payloads().map(String::from_utf8_lossy);
            let texts: Vec<_> = texts.map(|text| shortened(&text)).collect();
            format!("publish #{} {}", publish.first, texts.join(", "))
        }
        ClientMessage::Ack(Acked::UpTo(order)) => format!("ack {order}"),
        ClientMessage::Goodbye(goodbye) => format!("goodbye, {goodbye:?}"),
        ClientMessage::Ping => "ping".into(),
        ClientMessage::Pong => "pong".into(),
        other => panic!("no participant says {other:?}"),
    }
}

fn event_shown(event: &Event) -> String {
    match event {
        Event::Welcomed(welcome) if welcome.resumed => "welcomed back".into(),
        Event::Welcomed(_) => "welcomed".into(),
        Event::Confirmed(run) => {
            let last = run.sequence.0 + u64::from(run.count) - 1;
            format!("confirmed #{}-{last} as {}", run.sequence, run.order)
        }
        Event::OrderedBefore { first, count } => format!("ordered before: {count} from #{first}"),
        Event::Skipped { from, to } => format!("skipped {from}-{}", to.0 - 1),
        Event::Ended(ending) => format!("ended: {ending}"),
        other => format!("{other:?}"),
    }
}

fn hello_shown(hello: &Hello) -> String {
    let start = match hello.start {
        Start::Now => "now".into(),
        Start::Beginning => "beginning".into(),
        Start::At(order) => format!("at {order}"),
        Start::Last(count) => format!("last {count}"),
        Start::Resume(order) => format!("resume {order}"),
    };
    let mut shown = format!("hello {} {start}", hello.name);
    if !hello.receive {
        shown += " publish-only";
    }
    if hello.log_id != LogId(0) {
        write!(shown, " log={}", hello.log_id.0).unwrap();
    }
    if let Some(attempt) = hello.attempt {
        write!(shown, " attempt={}.{}", attempt.life, attempt.number).unwrap();
    }
    shown
}

fn shortened(text: &str) -> String {
    match text.len() {
        0..=20 => text.to_owned(),
        length => format!("{}… ({length} bytes)", &text[..8]),
    }
}
