//! Somebody who keeps to no rule: bytes that mean nothing, frames that are nearly right, and right
//! ones at the wrong time. Nothing it does may harm anybody else.

use orden::core::Transport;
use orden::wire::native::{self, Goodbye, Hello, PublishFrame, Start};
use orden::wire::{Acked, ClientSequence, LogId, Name, OrderNumber, binary, json};

use super::{HOSTILE_GUEST, HOSTILE_NAMES, Incident};
use crate::simulation::dice::Dice;
use crate::simulation::network::SocketId;
use crate::simulation::plan::Plan;
use crate::simulation::queue::Happening;
use crate::simulation::stage::Stage;

/// See the module.
pub(crate) struct Hostile {
    index: usize,
    dice: Dice,
    /// Whether it even speaks no dialect at all.
    unstructured: bool,
    /// Whether it reads what it is sent; otherwise it begins anew all the time, and says nothing
    /// of what it has not read.
    reads: bool,
    message_bytes: usize,
    socket: Option<SocketId>,
    transport: Transport,
    /// A number that is not far from those the broker gives out.
    near: u64,
    is_over: bool,
    lives: u32,
}

impl Hostile {
    pub(crate) fn new(index: usize, plan: &Plan, mut dice: Dice) -> Self {
        Self {
            index,
            unstructured: dice.chance(500),
            reads: dice.chance(750),
            message_bytes: plan.limits.message_bytes,
            socket: None,
            transport: Transport::Zmq,
            near: 0,
            is_over: false,
            lives: 0,
            dice,
        }
    }

    pub(crate) fn meets(&mut self, incident: Incident, stage: &mut Stage) {
        match incident {
            Incident::Starts => self.start(stage),
            Incident::Wakes => self.act(stage),
            // A DEALER connects again by itself, a plain socket does not.
            Incident::Down(socket)
                if self.socket == Some(socket) && self.transport == Transport::Tcp =>
            {
                self.start(stage);
            }
            Incident::Frame(_, frame) => self.near += u64::from(frame.len() > 30),
            Incident::Heals => {
                self.is_over = true;
                self.hang_up(stage);
            }
            _ => {}
        }
    }

    fn start(&mut self, stage: &mut Stage) {
        if self.is_over {
            return;
        }
        self.hang_up(stage);
        self.lives += 1;
        let name = self.dice.pick(&HOSTILE_NAMES);
        let key = match self.dice.between(0, 4) {
            0 => [&HOSTILE_GUEST[..], &self.dice.bytes(1)].concat(),
            1 => format!("evil.{}.{}:1", self.index, self.lives).into_bytes(),
            _ => name.into(),
        };
        self.transport = match key.last() {
            Some(b'1') if key.ends_with(b":1") => Transport::Tcp,
            _ => Transport::Zmq,
        };
        let Stage { network, queue, .. } = &mut *stage;
        let patient = self.dice.chance(500);
        let socket = network.open(self.index, self.transport, key, patient, queue);
        if !self.reads {
            network.stop_reading(socket);
        }
        self.socket = Some(socket);
        self.wake_later(stage);
    }

    fn act(&mut self, stage: &mut Stage) {
        if self.is_over {
            return;
        }
        if self.dice.chance(30) {
            return self.start(stage);
        }
        let Some(socket) = self.socket else { return };
        let frame = match self.transport {
            Transport::Tcp => self.stream(),
            Transport::Zmq => {
                let around = self.dice.pick(&[0, 0, 0, 0, 1, 2]);
                let body = self.body();
                [&[around], &body[..]].concat()
            }
        };
        stage.send(socket, frame);
        self.wake_later(stage);
    }

    /// Bytes for a plain TCP connection: whole messages, parts of some, and what belongs to none.
    fn stream(&mut self) -> Vec<u8> {
        if !self.reads {
            return self.text();
        }
        let mut bytes = Vec::new();
        for _ in 0..self.dice.between(1, 3) {
            match self.dice.between(0, 4) {
                0 => bytes.extend(self.text()),
                1 | 2 => bytes.extend(binary::encode_ack(self.acked())),
                3 => bytes.resize(
                    bytes.len() + self.dice.count(1, 70),
                    self.dice.pick(&[0, 255]),
                ),
                _ => {
                    let text = self.text();
                    binary::encode_message(self.order(), [&text, b"", b""], &mut bytes);
                }
            }
        }
        bytes
    }

    fn body(&mut self) -> Vec<u8> {
        if !self.reads {
            let start = self.dice.pick(&[Start::Now, Start::Beginning]);
            let hello = Hello {
                start,
                ..self.hello()
            };
            return hello.encode();
        }
        let mut frame = if self.unstructured {
            let length = self.dice.count(0, 80);
            self.dice.bytes(length)
        } else {
            self.structured()
        };
        if self.dice.chance(200) && !frame.is_empty() {
            let at = self.dice.below(frame.len());
            match self.dice.between(0, 2) {
                0 => frame[at] ^= 1 << self.dice.below(8),
                1 => frame.truncate(at),
                _ => frame.extend_from_within(at..),
            }
        }
        // Whatever it does, it does under its own name: names are nobody's without keys.
        let is_hello = frame.get(2) == Some(&native::kind::HELLO);
        if is_hello
            && !frame
                .windows(5)
                .any(|part| HOSTILE_NAMES.iter().any(|name| part == name.as_bytes()))
        {
            frame.clear();
        }
        frame
    }

    fn structured(&mut self) -> Vec<u8> {
        match self.dice.between(0, 11) {
            0 => binary::encode_ack(self.acked()).into(),
            1 => json::encode_ack(self.acked()),
            2 => {
                let mut frame = Vec::new();
                binary::encode_message(self.order(), [&self.text(), b"", b""], &mut frame);
                frame
            }
            3 => {
                let mut frame = Vec::new();
                let _any = json::encode_message(self.order(), [&self.text(), b"", b""], &mut frame);
                frame
            }
            4..=6 => self.hello().encode(),
            7 | 8 => {
                let mut frame =
                    PublishFrame::new(ClientSequence(self.dice.pick(&[1, 1, 1, 2, 3, 6])));
                for _ in 0..self.dice.between(1, 4) {
                    frame.push(&self.text());
                }
                frame.finish()
            }
            9 => native::ack(self.order()),
            10 => native::ping(),
            _ => self.dice.pick(&[Goodbye::Leave, Goodbye::Away]).encode(),
        }
    }

    fn hello(&mut self) -> Hello {
        let name = self.dice.pick(&HOSTILE_NAMES);
        let start = match self.dice.between(0, 4) {
            0 => Start::Now,
            1 => Start::Beginning,
            2 => Start::At(self.order()),
            3 => Start::Last(self.dice.between(0, 9)),
            _ => Start::Resume(self.order()),
        };
        Hello {
            name: Name::new(name.as_bytes()).unwrap(),
            start,
            receive: self.dice.chance(800),
            observe: false,
            log_id: LogId(self.dice.pick(&[0, 0, 0xC0FF_EE00, 13])),
            attempt: None,
        }
    }

    fn acked(&mut self) -> Acked {
        match self.dice.between(0, 3) {
            0 => Acked::Nothing,
            _ => Acked::UpTo(self.order()),
        }
    }

    fn order(&mut self) -> OrderNumber {
        OrderNumber(match self.dice.between(0, 5) {
            0 => self.dice.number(),
            1 => u64::MAX,
            2 => 0,
            _ => (self.near + self.dice.between(0, 20)).saturating_sub(10),
        })
    }

    fn text(&mut self) -> Vec<u8> {
        let length = match self.dice.between(0, 5) {
            0 => 0,
            1 => self.message_bytes + 1,
            2 => self.message_bytes,
            _ => self.dice.count(0, 30),
        };
        self.dice.bytes(length)
    }

    fn hang_up(&mut self, stage: &mut Stage) {
        if let Some(socket) = self.socket.take() {
            let silent = self.dice.chance(300);
            let Stage { network, queue, .. } = stage;
            network.close(socket, silent, queue);
        }
    }

    fn wake_later(&mut self, stage: &mut Stage) {
        let pause = self.dice.millis(1, 500);
        stage
            .queue
            .add(stage.now() + pause, Happening::PeerWakes(self.index));
    }
}
