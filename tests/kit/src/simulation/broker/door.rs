//! An observer at the broker's door: writes down what passes, by what the wire says alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use orden::core::{Packet, Route};
use orden::wire::native::{Goodbye, Start};
use orden::wire::raw::Splitter;
use orden::wire::reply::{self, BrokerMessage};
use orden::wire::{
    Acked, ClientMessage, Dialect, OrderNumber, batch, binary, decode, dialect_of, json,
};

use crate::checker::history::{Digest, Event, Said};
use crate::simulation::counters::Sometimes;
use crate::simulation::network::ConnectionId;
use crate::simulation::peers::{HOSTILE_GUEST, HOSTILE_NAMES, is_hostile};
use crate::simulation::stage::Stage;

/// Who has said which name over which connection. Of those who keep to no rule it only writes down
/// what they may have ordered: to follow whom they pretend to be would take another machine.
#[derive(Debug, Default)]
pub(crate) struct Door {
    /// The name that was said last over a connection.
    names: BTreeMap<Vec<u8>, String>,
    /// The connection that each name was given to last.
    newest: BTreeMap<String, ConnectionId>,
    /// Who has asked to leave.
    leaving: BTreeSet<String>,
    /// What each name has acknowledged.
    acked: BTreeMap<String, u64>,
    /// The oldest message that the log kept when a connection asked for everything there is.
    asked_for_all: BTreeMap<Vec<u8>, OrderNumber>,
    /// What peers on plain TCP send, cut into messages.
    streams: BTreeMap<Vec<u8>, Splitter>,
}

impl Door {
    /// A ZeroMQ peer's message is handed to the machine, for which somebody may be present.
    pub(crate) fn hears(
        &mut self,
        packet: &Packet<'_>,
        is_present: impl Fn(&str) -> bool,
        oldest: OrderNumber,
        stage: &mut Stage,
    ) {
        let Ok(message) = decode(packet.body) else {
            return;
        };
        if packet.excess {
            return;
        }
        let said = match &message {
            ClientMessage::Hello(hello) => {
                let name = String::from_utf8_lossy(hello.name.as_bytes()).into_owned();
                let before = self.names.insert(packet.id.to_vec(), name.clone());
                // Which of several hellos a welcome answers is not known.
                if before.is_none() && hello.start == Start::Beginning {
                    self.asked_for_all.insert(packet.id.to_vec(), oldest);
                } else {
                    self.asked_for_all.remove(packet.id);
                }
                let own = stage.network.newest_of(packet.id);
                let own = own.filter(|_| packet.id[0] == 0);
                if self.newest.get(&name) > own.as_ref() && own.is_some() && is_present(&name) {
                    // An older connection's words have no effect on a newer one's session.
                    return stage.count(Sometimes::HelloTooLate);
                }
                self.newest.extend(own.map(|own| (name.clone(), own)));
                self.leaving.remove(&name);
                let resume = match hello.start {
                    Start::Resume(order) => Some(order.0),
                    _ => None,
                };
                Said::Hello { resume }
            }
            ClientMessage::Ack(Acked::UpTo(order)) => Said::Ack { order: order.0 },
            ClientMessage::Goodbye(Goodbye::Leave) => {
                self.leaving.extend(self.who(packet.id));
                return;
            }
            _ => return self.hears_hostile(packet.id, &message, stage),
        };
        let Some(who) = self.who(packet.id) else {
            return;
        };
        if let Said::Ack { order } = said {
            let acked = self.acked.entry(who.clone()).or_default();
            if order < *acked {
                stage.count(Sometimes::OldAckIgnored);
            }
            *acked = order.max(*acked);
        }
        let connection = label(packet.id);
        stage.note(Event::Hears {
            who,
            connection,
            said,
        });
    }

    /// Whether somebody who has left has asked for it.
    pub(crate) fn asked_to_leave(&self, who: &str) -> bool {
        self.leaving.contains(who)
    }

    /// What hostile peers say may be ordered: nobody else writes down that they have sent it.
    fn hears_hostile(&self, id: &[u8], message: &ClientMessage<'_>, stage: &mut Stage) {
        let name = self.names.get(id).cloned().unwrap_or_else(|| label(id));
        if !is_hostile(&name) && !id.starts_with(&HOSTILE_GUEST) {
            return;
        }
        match message {
            ClientMessage::Text(text) => sends_hostile(&[text], stage),
            ClientMessage::Publish(publish) => {
                for payload in publish.payloads() {
                    // Which of its names counts only the broker knows.
                    for name in HOSTILE_NAMES {
                        sends_hostile(&[name.as_bytes(), b": ", payload], stage);
                    }
                }
            }
            _ => {}
        }
    }

    /// A plain TCP peer's bytes are handed to the machine.
    pub(crate) fn hears_bytes(&mut self, id: &[u8], bytes: &[u8], stage: &mut Stage) {
        let who = label(id);
        let stream = self.streams.entry(id.to_vec()).or_default();
        stream.feed(bytes);
        while let Some(frame) = stream.next_frame() {
            match frame.and_then(binary::decode) {
                Ok(ClientMessage::Text(text)) if is_hostile(&who) => {
                    sends_hostile(&[&text], stage);
                }
                Ok(ClientMessage::Ack(Acked::UpTo(order))) if !is_hostile(&who) => {
                    stage.note(Event::Hears {
                        who: who.clone(),
                        connection: who.clone(),
                        said: Said::Ack { order: order.0 },
                    });
                }
                _ => {}
            }
        }
    }

    /// The machine wants a frame sent.
    /// Says whether it holds messages.
    pub(crate) fn serves(&mut self, to: &Route, frame: &[u8], stage: &mut Stage) -> bool {
        if let Ok(BrokerMessage::Welcome(welcome)) = reply::decode(frame)
            && let Some(oldest) = self.asked_for_all.remove(&*to.id)
        {
            let begin = welcome.begin;
            assert!(
                welcome.resumed || begin >= oldest,
                "a member that asks for all there is begins at {begin}, but {oldest} is the oldest"
            );
        }
        if let (Ok(BrokerMessage::Goodbye), Some(who)) = (reply::decode(frame), self.who(&to.id)) {
            stage.note(Event::Farewell { who });
        }
        let end = end_of(frame);
        stage.told.extend(end.map(|end| (stage.queue.now(), end)));
        let Some(who) = self.who(&to.id) else {
            return end.is_some();
        };
        if let Some(end) = end {
            let connection = label(&to.id);
            stage.note(Event::Serves {
                who,
                connection,
                end,
            });
        }
        end.is_some()
    }

    /// The name behind a connection, if it is an honest one's and not one that libzmq has made up.
    pub(super) fn who(&self, id: &[u8]) -> Option<String> {
        let named = self.names.get(id).cloned();
        let who = named.or_else(|| (id.first() != Some(&0)).then(|| label(id)));
        who.filter(|who| !is_hostile(who))
    }
}

/// A hostile peer has sent this.
fn sends_hostile(parts: &[&[u8]], stage: &mut Stage) {
    stage.note(Event::Send {
        who: "*hostile".into(),
        sequence: 0,
        digest: Digest::of(parts),
    });
}

/// A connection's name in a history.
fn label(id: &[u8]) -> String {
    match str::from_utf8(id) {
        Ok(text) if text.chars().all(|c| c.is_ascii_graphic()) => text.to_owned(),
        _ => {
            let mut label = String::new();
            for byte in id {
                write!(label, "{byte:02x}").unwrap();
            }
            label
        }
    }
}

/// One past the last message in a frame to a peer, if it holds any.
fn end_of(frame: &[u8]) -> Option<u64> {
    match dialect_of(frame)? {
        Dialect::Json => Some(json::decode_delivery(frame).unwrap().0.0 + 1),
        Dialect::Binary | Dialect::Raw => Some(binary::decode_delivery(frame).unwrap().0.0 + 1),
        Dialect::Native => match reply::decode(frame).unwrap() {
            BrokerMessage::Messages(batches) => {
                let last = batch::records(batches).last()?;
                Some(last.unwrap().order.0 + 1)
            }
            _ => None,
        },
    }
}
