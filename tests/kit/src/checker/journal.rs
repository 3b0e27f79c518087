//! The log as it is in the end: without holes, and each sender's messages as it sent them.

use std::collections::BTreeMap;

use super::Property::{Density, Notices, SenderOrder};
use super::history::{Event, Message};
use super::messages::Messages;
use super::{Verdict, broken};

/// What was read of the log so far.
#[derive(Default)]
pub(super) struct Journal {
    first: Option<u64>,
    next: u64,
    senders: BTreeMap<String, Sender>,
    /// Whether the newest notice about a name is that it has joined.
    joined: BTreeMap<String, bool>,
}

#[derive(Default)]
struct Sender {
    /// The last client sequence in this session.
    sequence: Option<u64>,
    /// The place of its last message among everything that was sent.
    place: Option<usize>,
}

impl Journal {
    /// The number after the last one.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn take(&mut self, event: &Event, messages: &Messages) -> Verdict {
        match event {
            Event::Log { message, notice } => {
                let first = *self.first.get_or_insert(message.order);
                if first != message.order && message.order != self.next {
                    let (order, next) = (message.order, self.next);
                    return broken(Density, format!("{order} comes where {next} is due"));
                }
                self.next = message.order + 1;
                match notice {
                    Some(text) => self.notice(text),
                    None => self.message(message, messages),
                }
            }
            Event::LogEnd { oldest, next } => {
                let first = self.first.unwrap_or(*next);
                if first != *oldest || (self.first.is_some() && self.next != *next) {
                    let what = format!(
                        "the log holds {first} to {}, not {oldest} to {next}",
                        self.next
                    );
                    return broken(Density, what);
                }
                self.next = *next;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether the log was read from its very beginning.
    fn is_whole(&self) -> bool {
        self.first == Some(0)
    }

    fn notice(&mut self, text: &str) -> Verdict {
        let (name, joins) = match text.strip_suffix(" has joined the net") {
            Some(name) => (name, true),
            None => (
                text.strip_suffix(" has left the net").unwrap_or(text),
                false,
            ),
        };
        let before = self.joined.insert(name.to_owned(), joins);
        if !joins && let Some(sender) = self.senders.get_mut(name) {
            *sender = Sender {
                sequence: Some(0),
                place: None,
            };
        }
        // A peer on plain TCP cannot leave while the broker is down.
        let known = before.or(self.is_whole().then_some(false));
        if known == Some(joins) && !name.contains(':') && !name.starts_with("guest-") {
            return broken(Notices, format!("{text}, for the second time"));
        }
        Ok(())
    }

    fn message(&mut self, message: &Message, messages: &Messages) -> Verdict {
        let is_whole = self.is_whole();
        let name = message.sender.clone().unwrap_or_default();
        let order = message.order;
        let sender = self.senders.entry(name).or_default();
        if let Some(sequence) = message.sequence {
            let before = sender.sequence.or(is_whole.then_some(0));
            if let Some(before) = before.filter(|before| before + 1 != sequence) {
                let what = format!("{order} has client sequence {sequence} after {before}");
                return broken(SenderOrder, what);
            }
            sender.sequence = Some(sequence);
        }
        let Some(sending) = messages.sending(message.digest) else {
            return Ok(());
        };
        if sending.times > 1 {
            return Ok(());
        }
        let before = sender.place.replace(sending.place);
        if before.is_some_and(|before| before > sending.place) {
            let what = format!("{order} was sent before the one that its sender has before it");
            return broken(SenderOrder, what);
        }
        Ok(())
    }
}
