//! A peer of the binary or the JSON dialect, as they exist: a DEALER whose routing id is its
//! name. It takes a first message of any number, then only the next one, and acknowledges.

use orden::wire::{Acked, OrderNumber, binary, json};

use super::payload::Texts;
use super::{Incident, dealer, wrapped};
use crate::checker::history::{Digest, Event, Form, Message};
use crate::simulation::dice::Dice;
use crate::simulation::network::SocketId;
use crate::simulation::plan::Plan;
use crate::simulation::queue::Happening;
use crate::simulation::stage::Stage;

/// Messages that are not the next one, after which a person starts the program anew: it forgets
/// where it was. An ACK of its process before, which was under way when it was started, makes the
/// broker go on too far; the dialect has no word for that.
const PATIENCE: u32 = 30;

/// Looks in a row without anything new, after which a person starts a program anew: the broker may
/// have forgotten one without a name, or refused one while it went out of service, and cannot tell
/// it.
const LOOKS_IN_VAIN: u32 = 3;

/// See the module.
#[expect(
    clippy::struct_excessive_bools,
    reason = "habits go with one another in all ways"
)]
pub(crate) struct Fixed {
    index: usize,
    /// Its name; without one, what the run calls it while its connection lasts.
    who: String,
    key: Vec<u8>,
    named: bool,
    json: bool,
    delimited: bool,
    /// Whether it still knows after a restart where it was.
    remembers: bool,
    /// Whether its socket says that it is there (`ZMQ_PROBE_ROUTER`).
    probes: bool,
    /// It acknowledges every so many messages.
    ack_every: u64,
    dice: Dice,
    texts: Texts,
    left_to_send: usize,
    socket: Option<SocketId>,
    /// The next number it takes.
    expected: Option<u64>,
    acked: u64,
    is_paused: bool,
    waiting: Vec<Vec<u8>>,
    lives: u32,
    /// Messages that came instead of the next one.
    too_early: u32,
    looks_in_vain: u32,
    /// Whether the last that it took says that it has left: its session has ended, and it joins
    /// again by acknowledging that, if the ACK is not lost.
    has_left: bool,
}

impl Fixed {
    pub(crate) fn new(index: usize, named: bool, plan: &Plan, mut dice: Dice) -> Self {
        let name = if named {
            format!("fixed{index}")
        } else {
            format!("*anonymous{index}")
        };
        Self {
            index,
            who: name.clone(),
            key: name.clone().into_bytes(),
            named,
            json: dice.chance(400),
            delimited: dice.chance(200),
            remembers: dice.chance(500),
            probes: dice.chance(200),
            ack_every: dice.pick(&[1, 1, 3, 10]),
            // In the largest text its name has to fit, too.
            texts: Texts::new(&name, plan.limits.message_bytes - name.len() - 2),
            left_to_send: plan.sends,
            socket: None,
            expected: None,
            acked: 0,
            is_paused: false,
            waiting: Vec::new(),
            lives: 0,
            too_early: 0,
            looks_in_vain: 0,
            has_left: false,
            dice,
        }
    }

    pub(crate) fn who(&self) -> &str {
        &self.who
    }

    pub(crate) fn is_settled(&self, end: u64) -> bool {
        self.expected == Some(end)
    }

    pub(crate) fn meets(&mut self, incident: Incident, stage: &mut Stage) {
        match incident {
            Incident::Starts if self.is_paused => self.goes_on(stage),
            Incident::Starts if self.socket.is_none() => self.start(stage),
            Incident::Wakes => self.speak(stage),
            Incident::Up(socket) => {
                if self.probes && self.socket == Some(socket) {
                    stage.send(socket, wrapped(self.delimited, b""));
                }
            }
            // Nobody comes back to a routing id that libzmq has made up.
            Incident::Down(_) if !self.named => self.restart(stage),
            Incident::IsLookedAt if !self.named || self.expected.is_none() || self.has_left => {
                self.is_looked_at(stage);
            }
            Incident::Starts
            | Incident::Down(_)
            | Incident::SaysGoodbye
            | Incident::SaysLastWord
            | Incident::IsLookedAt => {}
            Incident::Frame(socket, frame) => self.frame(socket, frame, stage),
            Incident::Crashes => self.crash(stage),
            Incident::Pauses => self.pause(stage),
            Incident::IsLeftBehind => {
                self.expected = None;
                self.acked = 0;
                self.restart(stage);
            }
            Incident::Heals => {
                self.left_to_send = 0;
                self.goes_on(stage);
                // Its first words may be lost, and it has nothing more to say.
                if self.socket.is_none() || self.expected.is_none() {
                    self.restart(stage);
                }
            }
        }
    }

    fn start(&mut self, stage: &mut Stage) {
        self.lives += 1;
        self.too_early = 0;
        self.looks_in_vain = 0;
        if !self.remembers || !self.named {
            self.expected = None;
            self.acked = 0;
        }
        if !self.named {
            self.who = format!("*anonymous{}.{}", self.index, self.lives);
            let number = self.lives.to_be_bytes();
            self.key = [&[0, u8::try_from(self.index).unwrap()], &number[..]].concat();
        }
        stage.note(Event::Start {
            who: self.who.clone(),
            position: self.expected,
            keeps_sends: false,
        });
        let socket = dealer(self.index, self.key.clone(), true, stage);
        self.socket = Some(socket);
        // One that only has something to say joins by that.
        if self.dice.chance(800) || self.left_to_send == 0 {
            self.ack(stage);
        }
        self.wake_later(stage);
    }

    /// Says something, sometimes more than one thing.
    fn speak(&mut self, stage: &mut Stage) {
        let Some(socket) = self.socket.filter(|_| !self.is_paused) else {
            return;
        };
        for _ in 0..self.dice.between(1, 3) {
            if self.left_to_send == 0 {
                return;
            }
            self.left_to_send -= 1;
            let text = self.texts.next(true, &mut self.dice, stage);
            let named = [self.who.as_bytes(), b": ", &text].concat();
            let payload = if self.dice.chance(700) { named } else { text };
            stage.note(Event::Send {
                who: self.who.clone(),
                sequence: 0,
                digest: Digest::of(&[&payload]),
            });
            let mut frame = Vec::new();
            let order = OrderNumber(self.dice.between(0, 9));
            let parts: [&[u8]; 3] = [&payload, b"", b""];
            if self.json {
                let _exact = json::encode_message(order, parts, &mut frame);
            } else {
                binary::encode_message(order, parts, &mut frame);
            }
            stage.send(socket, wrapped(self.delimited, &frame));
        }
        self.wake_later(stage);
    }

    fn frame(&mut self, socket: SocketId, frame: Vec<u8>, stage: &mut Stage) {
        if self.socket != Some(socket) {
            return;
        }
        if self.is_paused {
            return self.waiting.push(frame);
        }
        assert_eq!(frame[0] != 0, self.delimited, "a delimiter comes back");
        let (order, payload, form) = decoded(&frame[1..]);
        let is_next = self.expected.is_none_or(|expected| expected == order);
        self.too_early += u32::from(self.expected.is_some_and(|expected| expected < order));
        if self.too_early > PATIENCE {
            return self.meets(Incident::IsLeftBehind, stage);
        }
        if is_next {
            self.too_early = 0;
            self.looks_in_vain = 0;
            self.expected = Some(order + 1);
            self.has_left = payload == format!("Server: {} has left the net", self.who).as_bytes();
            stage.note(Event::Deliver {
                who: self.who.clone(),
                message: Message::of_text(order, &payload, form),
            });
        }
        let unacked = self.expected.map_or(0, |expected| expected - self.acked);
        if !is_next || unacked >= self.ack_every {
            self.ack(stage);
        }
    }

    fn ack(&mut self, stage: &mut Stage) {
        let Some(socket) = self.socket else { return };
        let last = self.expected.and_then(|expected| expected.checked_sub(1));
        let acked = last.map_or(Acked::Nothing, |last| Acked::UpTo(OrderNumber(last)));
        self.acked = self.expected.unwrap_or_default();
        let frame = if self.json {
            json::encode_ack(acked)
        } else {
            binary::encode_ack(acked).into()
        };
        stage.send(socket, wrapped(self.delimited, &frame));
    }

    fn crash(&mut self, stage: &mut Stage) {
        let Some(socket) = self.socket.take() else {
            return;
        };
        stage.note(Event::Crash {
            who: self.who.clone(),
        });
        let silent = self.dice.chance(300);
        let Stage { network, queue, .. } = &mut *stage;
        network.close(socket, silent, queue);
        self.is_paused = false;
        self.waiting.clear();
        let pause = self.dice.millis(1, 1_500);
        stage
            .queue
            .add(stage.now() + pause, Happening::PeerStarts(self.index));
    }

    fn restart(&mut self, stage: &mut Stage) {
        if let Some(socket) = self.socket.take() {
            let Stage { network, queue, .. } = &mut *stage;
            network.close(socket, false, queue);
        }
        self.is_paused = false;
        self.waiting.clear();
        self.start(stage);
    }

    fn is_looked_at(&mut self, stage: &mut Stage) {
        self.looks_in_vain += 1;
        if self.looks_in_vain == LOOKS_IN_VAIN {
            self.restart(stage);
        }
    }

    fn pause(&mut self, stage: &mut Stage) {
        self.is_paused = true;
        let pause = self.dice.millis(10, 2_000);
        stage
            .queue
            .add(stage.now() + pause, Happening::PeerStarts(self.index));
    }

    fn goes_on(&mut self, stage: &mut Stage) {
        self.is_paused = false;
        if let Some(socket) = self.socket {
            for frame in std::mem::take(&mut self.waiting) {
                self.frame(socket, frame, stage);
            }
            self.wake_later(stage);
        }
    }

    fn wake_later(&mut self, stage: &mut Stage) {
        let pause = self.dice.millis(1, 800);
        stage
            .queue
            .add(stage.now() + pause, Happening::PeerWakes(self.index));
    }
}

/// A frame of either dialect: its number, its payload, and whether that is as it was sent.
fn decoded(frame: &[u8]) -> (u64, Vec<u8>, Form) {
    if frame.first() == Some(&b'{') {
        let (order, text) = json::decode_delivery(frame).unwrap();
        let form = if text.contains('\u{FFFD}') {
            Form::Replaced
        } else {
            Form::Exact
        };
        return (order.0, text.into_owned().into_bytes(), form);
    }
    let (order, payload) = binary::decode_delivery(frame).unwrap();
    (order.0, payload.to_vec(), Form::Exact)
}
