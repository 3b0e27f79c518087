//! The original program on plain TCP: its connection is its session, each one somebody new. It
//! takes a first message of any number, then only the next one, and acknowledges each.

use orden::core::Transport;
use orden::wire::{Acked, OrderNumber, binary, raw};

use super::Incident;
use super::payload::Texts;
use crate::checker::history::{Digest, Event, Form, Message};
use crate::simulation::dice::Dice;
use crate::simulation::network::SocketId;
use crate::simulation::plan::Plan;
use crate::simulation::queue::Happening;
use crate::simulation::stage::Stage;

/// See the module.
pub(crate) struct Raw {
    index: usize,
    /// Its host and port, as long as its connection lasts.
    who: String,
    dice: Dice,
    texts: Texts,
    left_to_send: usize,
    socket: Option<SocketId>,
    is_up: bool,
    expected: Option<u64>,
    lives: u32,
}

impl Raw {
    pub(crate) fn new(index: usize, plan: &Plan, dice: Dice) -> Self {
        Self {
            index,
            who: String::new(),
            texts: Texts::new(&format!("raw{index}"), plan.limits.message_bytes),
            left_to_send: plan.sends / 2,
            socket: None,
            is_up: false,
            expected: None,
            lives: 0,
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
            Incident::Starts if self.socket.is_none() => self.start(stage),
            Incident::Wakes => self.speak(stage),
            Incident::Up(_) => {
                self.is_up = true;
                // What one read returns is one message or more: an ACK and a text, for instance.
                self.ack(stage);
                self.wake_later(stage);
            }
            Incident::Down(socket) if self.socket == Some(socket) => self.start_later(stage),
            Incident::Crashes | Incident::SaysGoodbye | Incident::IsLeftBehind => {
                self.hang_up(stage);
            }
            Incident::Frame(socket, frame) if self.socket == Some(socket) => {
                self.frame(&frame, stage);
            }
            Incident::Heals => {
                self.left_to_send = 0;
                if self.socket.is_none() {
                    self.start(stage);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, stage: &mut Stage) {
        self.lives += 1;
        self.who = format!("10.0.0.{}:{}", self.index, self.lives);
        self.expected = None;
        self.is_up = false;
        stage.note(Event::Start {
            who: self.who.clone(),
            position: None,
            keeps_sends: false,
        });
        let key = self.who.clone().into_bytes();
        let Stage { network, queue, .. } = stage;
        self.socket = Some(network.open(self.index, Transport::Tcp, key, false, queue));
    }

    fn speak(&mut self, stage: &mut Stage) {
        let Some(socket) = self.socket.filter(|_| self.is_up) else {
            return;
        };
        // What is sent in one go may be read in one go.
        let mut bytes = Vec::new();
        for _ in 0..self.dice.between(1, 2) {
            if self.left_to_send == 0 {
                break;
            }
            self.left_to_send -= 1;
            let text = self.texts.next(true, &mut self.dice, stage);
            stage.note(Event::Send {
                who: self.who.clone(),
                sequence: 0,
                digest: Digest::of(&[&text]),
            });
            binary::encode_message(OrderNumber(0), [&text, b"", b""], &mut bytes);
        }
        if !bytes.is_empty() {
            stage.send(socket, bytes);
            self.wake_later(stage);
        }
    }

    fn frame(&mut self, frame: &[u8], stage: &mut Stage) {
        let (order, payload) = binary::decode_delivery(frame).unwrap();
        assert!(frame.len() <= raw::LIMIT, "more than one recv returns");
        let order = order.0;
        if self.expected.is_none_or(|expected| expected == order) {
            self.expected = Some(order + 1);
            let is_cut = payload.ends_with(raw::CUT_MARK.as_bytes());
            let form = if is_cut { Form::Cut } else { Form::Exact };
            stage.note(Event::Deliver {
                who: self.who.clone(),
                message: Message::of_text(order, payload, form),
            });
        }
        self.ack(stage);
    }

    fn ack(&mut self, stage: &mut Stage) {
        let Some(socket) = self.socket else { return };
        let last = self.expected.and_then(|expected| expected.checked_sub(1));
        let acked = last.map_or(Acked::Nothing, |last| Acked::UpTo(OrderNumber(last)));
        stage.send(socket, binary::encode_ack(acked).into());
    }

    fn hang_up(&mut self, stage: &mut Stage) {
        if let Some(socket) = self.socket {
            let silent = self.dice.chance(200);
            let Stage { network, queue, .. } = &mut *stage;
            network.close(socket, silent, queue);
            self.start_later(stage);
        }
    }

    fn start_later(&mut self, stage: &mut Stage) {
        self.socket = None;
        let pause = self.dice.millis(1, 1_000);
        stage
            .queue
            .add(stage.now() + pause, Happening::PeerStarts(self.index));
    }

    fn wake_later(&mut self, stage: &mut Stage) {
        let pause = self.dice.millis(1, 800);
        stage
            .queue
            .add(stage.now() + pause, Happening::PeerWakes(self.index));
    }
}
