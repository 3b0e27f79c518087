//! Members in Python, each a program that says what it is told to and shows what it is given.

use crate::checker::history::{Digest, Event, Form, History, Message};
use crate::clock::{now_us, since_ms};
use crate::programs::{Program, python};
use crate::root;

/// How often one says something.
const EVERY_MS: u64 = 20;
/// What one has said and not seen at a time.
const IN_FLIGHT: u64 = 64;

pub(super) struct Scripted {
    pub(super) name: &'static str,
    program: Program,
    sent: u64,
    said_at: u64,
    /// How many of its own it has seen.
    seen: u64,
    next: u64,
    is_quiet: bool,
}

impl Scripted {
    pub(super) fn start(client: &str, name: &'static str, endpoints: &[&str]) -> Self {
        let addresses = endpoints.join(",");
        let path = root().join("src/python");
        let flags = ["--client", client, "--address", &addresses, "--name", name];
        Self {
            name,
            program: python::start_with("several_peer.py", &flags, &[("PYTHONPATH", &path)]),
            sent: 0,
            said_at: now_us(),
            seen: 0,
            next: 0,
            is_quiet: false,
        }
    }

    pub(super) fn set_quiet(&mut self) {
        self.is_quiet = true;
    }

    /// The next number that it waits for; 0 before the first.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Whether it has seen all that it has said.
    pub(super) fn is_done(&self) -> bool {
        self.seen == self.sent
    }

    pub(super) fn turn(&mut self, history: &mut History) {
        while let Some(line) = self.program.line_now() {
            let (order, text) = line.split_once('\t').expect("a number and a text");
            let order = order.parse().expect("a number");
            let message = Message::of_text(order, text.as_bytes(), Form::Exact);
            self.next = order + 1;
            let who = self.name.to_owned();
            if text.starts_with(&format!("{who}: ")) {
                // Its own: that confirms it.
                self.seen += 1;
                history.note(Event::Confirm {
                    who: who.clone(),
                    sequence: self.seen,
                    order,
                });
            }
            history.note(Event::Deliver { who, message });
        }
        let may_say = !self.is_quiet && self.next > 0 && self.sent - self.seen < IN_FLIGHT;
        if may_say && since_ms(self.said_at) >= EVERY_MS {
            self.said_at = now_us();
            self.sent += 1;
            let text = format!("number {}", self.sent);
            history.note(Event::Send {
                who: self.name.to_owned(),
                sequence: self.sent,
                digest: Digest::of(&[self.name.as_bytes(), b": ", text.as_bytes()]),
            });
            self.program.tell(&text);
        }
    }
}
