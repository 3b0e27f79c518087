//! Ordering messages, each exactly once.

use super::Sequencer;
use super::membership::DISK_FULL;
use crate::core::Now;
use crate::core::appends::Appends;
use crate::core::members::SessionId;
use crate::core::publisher::Verdict;
use crate::wire::native::Publish;
use crate::wire::record::{Flags, Record};
use crate::wire::reply::Code;
use crate::wire::sessions::SequenceRun;
use crate::wire::{ClientSequence, Name, OrderNumber, rendering};

impl Sequencer {
    /// A peer of a fixed dialect has something to say.
    pub(super) fn text(&mut self, now: Now, id: SessionId, payload: &[u8]) {
        let session = self.members.get(id);
        let (name, dialect) = (session.name.clone(), session.dialect);
        let Some(route) = session.route.clone() else {
            return;
        };
        if payload.len() > self.limits.message_bytes {
            let most = self.limits.message_bytes as u64;
            return self.refuse(&route, dialect, Code::TooLarge, most, "message too large");
        }
        if !self.has_room(&name, payload) {
            return self.refuse(&route, dialect, Code::NoSpace, 0, DISK_FULL);
        }
        let (flags, text) = rendering::split(&name, payload);
        let record = Record {
            order: OrderNumber(0),
            client_sequence: ClientSequence::NONE,
            time: now.wall,
            flags,
            sender: name.as_bytes(),
            payload: text,
        };
        self.appends.message(record);
        self.counters.ordered += 1;
    }

    /// A native peer publishes: what is new is ordered, what is known is confirmed again.
    pub(super) fn publish(&mut self, now: Now, id: SessionId, publish: &Publish<'_>) {
        let Some(route) = self.members.get(id).route.clone() else {
            return;
        };
        let dialect = self.members.get(id).dialect;
        if let Some((code, most, text)) = self.oversized(publish) {
            return self.refuse(&route, dialect, code, most, text);
        }
        let name = self.members.get(id).name.clone();
        // Before anything is refused: what comes before it in the frame is still confirmed.
        self.mark_to_serve(id);
        for (sequence, payload) in (publish.first.0..)
            .map(ClientSequence)
            .zip(publish.payloads())
        {
            match self.order_once(now, id, &name, sequence, payload) {
                Ok(order) => {
                    confirm(&mut self.members.get_mut(id).confirms, sequence, order);
                }
                Err((code, detail, text)) => {
                    // What comes before it in the frame is ordered, and its sender must hear so.
                    self.confirm(id);
                    return self.refuse(&route, dialect, code, detail, text);
                }
            }
        }
    }

    /// Orders a message unless that has been done; returns its number either way, or why it
    /// cannot have one.
    fn order_once(
        &mut self,
        now: Now,
        id: SessionId,
        name: &Name,
        sequence: ClientSequence,
        payload: &[u8],
    ) -> Result<OrderNumber, (Code, u64, &'static str)> {
        let digest = crc32fast::hash(payload);
        match self.members.get(id).publisher.judge(sequence, digest) {
            Verdict::New if self.has_room(name, payload) => {
                Ok(self.order(now, id, name, sequence, payload, digest))
            }
            Verdict::New => Err((Code::NoSpace, sequence.0, DISK_FULL)),
            Verdict::Known(order) => {
                self.counters.repeated += 1;
                Ok(order)
            }
            Verdict::Reused => {
                let text = "this client sequence was used for another message";
                Err((Code::SequenceReused, sequence.0, text))
            }
            Verdict::Gap { expected } => Err((
                Code::SequenceGap,
                expected.0,
                "client sequences were skipped",
            )),
        }
    }

    fn order(
        &mut self,
        now: Now,
        id: SessionId,
        name: &Name,
        client_sequence: ClientSequence,
        payload: &[u8],
        digest: u32,
    ) -> OrderNumber {
        let order = self.appends.message(Record {
            order: OrderNumber(0),
            client_sequence,
            time: now.wall,
            flags: Flags::default(),
            sender: name.as_bytes(),
            payload,
        });
        let remember = self.limits.publish_window;
        self.members
            .get_mut(id)
            .publisher
            .ordered(order, digest, remember);
        self.counters.ordered += 1;
        order
    }

    /// A frame that is refused as a whole, since what follows in it could not be ordered either.
    fn oversized(&self, publish: &Publish<'_>) -> Option<(Code, u64, &'static str)> {
        let window = self.limits.publish_window;
        if publish.count > window {
            let text = "more messages in a frame than may be unconfirmed";
            return Some((Code::LimitReached, u64::from(window), text));
        }
        let most = self.limits.message_bytes;
        let too_large = publish.payloads().any(|payload| payload.len() > most);
        too_large.then_some((Code::TooLarge, most as u64, "message too large"))
    }

    fn has_room(&self, name: &Name, payload: &[u8]) -> bool {
        self.fits(Appends::cost_of_message(name, payload.len()))
    }
}

/// Adds a confirmation to those of this round.
fn confirm(runs: &mut Vec<SequenceRun>, sequence: ClientSequence, order: OrderNumber) {
    if let Some(run) = runs.last_mut() {
        let count = u64::from(run.count);
        if run.sequence.0 + count == sequence.0 && run.order.plus(count) == order {
            run.count += 1;
            return;
        }
    }
    runs.push(SequenceRun {
        sequence,
        order,
        count: 1,
    });
}
