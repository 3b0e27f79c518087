//! Members that speak the binary or the JSON dialect, each in a thread of its own with a plain
//! DEALER, as programs do that know nothing of sessions: what they say may be lost with a
//! connection, what they are given may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use orden::wire::rendering::Parts;
use orden::wire::{Acked, OrderNumber, binary, json};

use crate::faults::member::Plan;
use orden_kit::checker::file::Writer;
use orden_kit::checker::history::{Digest, Event, Form, Message};
use orden_kit::clock::{now_us, since_ms};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Binary,
    Json,
}

/// A member that runs.
pub(crate) struct Fixed {
    pub(crate) name: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    next: AtomicU64,
    quiet: AtomicBool,
    closing: AtomicBool,
}

/// How often it says where it is, even if nothing has changed: an ACK, too, can be lost.
const ACK_EVERY_MS: u64 = 300;

impl Fixed {
    pub(crate) fn start(endpoint: String, plan: Plan, dialect: Dialect) -> Self {
        let shared = Arc::new(Shared::default());
        let (seen, name) = (Arc::clone(&shared), plan.name.clone());
        let thread = std::thread::spawn(move || live(&endpoint, &plan, dialect, &seen));
        Self {
            name,
            shared,
            thread: Some(thread),
        }
    }

    pub(crate) fn set_quiet(&self, quiet: bool) {
        self.shared.quiet.store(quiet, Ordering::SeqCst);
    }

    /// The next number it waits for; 0 before the first.
    pub(crate) fn next(&self) -> u64 {
        self.shared.next.load(Ordering::SeqCst)
    }
}

impl Drop for Fixed {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

struct Live<'a> {
    plan: &'a Plan,
    dialect: Dialect,
    dealer: zmq::Socket,
    history: Writer,
    next: Option<u64>,
    sent: u64,
}

fn live(endpoint: &str, plan: &Plan, dialect: Dialect, shared: &Shared) {
    let context = zmq::Context::new();
    let dealer = context.socket(zmq::DEALER).expect("a socket");
    dealer.set_identity(plan.name.as_bytes()).expect("a name");
    dealer.set_linger(0).expect("an option");
    dealer.set_reconnect_ivl(50).expect("an option");
    dealer.set_reconnect_ivl_max(500).expect("an option");
    // One that is dead for its peer is dead for it, soon.
    dealer.set_heartbeat_ivl(500).expect("an option");
    dealer.set_heartbeat_timeout(2500).expect("an option");
    dealer.connect(endpoint).expect("an endpoint");
    let mut live = Live {
        plan,
        dialect,
        dealer,
        history: Writer::open(&plan.history),
        next: None,
        sent: 0,
    };
    live.acknowledge();
    let (mut acked_at, mut said_at) = (now_us(), now_us());
    let every_ms = plan.every.map(|every| u64::try_from(every.as_millis()));
    let every_ms = every_ms.map(|every| every.expect("milliseconds"));
    while !shared.closing.load(Ordering::SeqCst) {
        let news = live.receive();
        shared.next.store(live.next.unwrap_or(0), Ordering::SeqCst);
        if news || since_ms(acked_at) >= ACK_EVERY_MS {
            live.acknowledge();
            acked_at = now_us();
        }
        let quiet = shared.quiet.load(Ordering::SeqCst);
        let due = every_ms.is_some_and(|every| since_ms(said_at) >= every);
        if !quiet && due && live.next.is_some() {
            live.say();
            said_at = now_us();
        }
    }
}

impl Live<'_> {
    /// Takes what is there, waiting a moment for it; says whether anything was.
    fn receive(&mut self) -> bool {
        if self.dealer.poll(zmq::POLLIN, 20).unwrap_or(0) == 0 {
            return false;
        }
        while let Ok(frame) = self.dealer.recv_bytes(zmq::DONTWAIT) {
            let (order, text) = match self.dialect {
                Dialect::Binary => {
                    let (order, text) = binary::decode_delivery(&frame).expect("a delivery");
                    (order.0, text.to_vec())
                }
                Dialect::Json => {
                    let object: serde_json::Value = serde_json::from_slice(&frame).expect("JSON");
                    let order = object["timeStamp"].as_u64().expect("a number");
                    let text = object["message"].as_str().expect("a text");
                    (order, text.as_bytes().to_vec())
                }
            };
            if self.next.is_none_or(|next| next == order) {
                self.history.note(Event::Deliver {
                    who: self.plan.who.clone(),
                    message: Message::of_text(order, &text, Form::Exact),
                });
                self.next = Some(order + 1);
            }
        }
        self.history.keep();
        true
    }

    fn acknowledge(&self) {
        let acked = match self.next.and_then(|next| next.checked_sub(1)) {
            Some(order) => Acked::UpTo(OrderNumber(order)),
            None => Acked::Nothing,
        };
        match self.dialect {
            Dialect::Binary => self.send(&binary::encode_ack(acked)),
            Dialect::Json => {
                let number = self.next.map_or(-1, |next| i128::from(next) - 1);
                let ack = format!(r#"{{"timeStamp": {number}, "isACK": true, "message": ""}}"#);
                self.send(ack.as_bytes());
            }
        }
    }

    fn say(&mut self) {
        self.sent += 1;
        let text = format!("number {} of {}", self.sent, self.plan.seed);
        let name = self.plan.name.as_bytes();
        self.history.note(Event::Send {
            who: self.plan.who.clone(),
            sequence: 0,
            digest: Digest::of(&[name, b": ", text.as_bytes()]),
        });
        self.history.keep();
        let parts: Parts = [name, b": ", text.as_bytes()];
        let mut frame = Vec::new();
        match self.dialect {
            Dialect::Binary => binary::encode_message(OrderNumber(0), parts, &mut frame),
            Dialect::Json => {
                let fidelity = json::encode_message(OrderNumber(0), parts, &mut frame);
                assert_eq!(fidelity, orden::wire::rendering::Fidelity::Exact);
            }
        }
        self.send(&frame);
    }

    fn send(&self, frame: &[u8]) {
        // A full pipe loses it, as a broken connection would.
        self.dealer.send(frame, zmq::DONTWAIT).ok();
    }
}
