//! What everybody has done and seen, in the order in which it happened.

use orden::wire::record::{Flags, Record};
use orden::wire::rendering;

use orden_kit::checker::check;
use orden_kit::checker::history::{Digest, Event, Form, Message, Moment};
use orden_kit::clock::now_us;
use orden_kit::dealer::Heard;

const NOTICE: &[u8] = b"Server: ";

/// One history for all: one thread writes it.
#[derive(Default)]
pub(crate) struct History(Vec<Moment>);

impl History {
    pub(crate) fn note(&mut self, event: Event) {
        self.0.push(Moment {
            at: now_us(),
            event,
        });
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter().map(|moment| &moment.event)
    }

    /// Fails with the first promise that was broken.
    pub(crate) fn check(&self, seed: u64) {
        if let Err(violation) = check(&self.0) {
            panic!("seed {seed}: {violation}");
        }
    }
}

/// A message as native peers and the log have it.
pub(crate) fn of_record(record: &Record<'_>) -> Message {
    let is_notice = record.flags.has(Flags::NOTICE);
    Message {
        order: record.order.0,
        sender: Some(String::from_utf8_lossy(record.sender).into_owned()),
        sequence: (!is_notice).then_some(record.client_sequence.0),
        digest: Digest::of(&rendering::parts(record)),
        form: Form::Exact,
    }
}

/// A message as peers of the fixed dialects have it.
pub(crate) fn of_heard(heard: &Heard) -> Message {
    let is_notice = heard.payload.starts_with(NOTICE);
    Message {
        order: heard.order,
        sender: is_notice.then(|| "Server".to_owned()),
        sequence: None,
        digest: Digest::of(&[&heard.payload]),
        form: Form::Exact,
    }
}
