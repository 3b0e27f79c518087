//! What has come of a history, counted apart from the checker: it stops at the first broken
//! promise, and this goes on.

use std::collections::HashMap;

use super::history::{Digest, Event, Form, Message};

/// Counts of messages and of what went wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// In the log.
    pub messages: u64,
    pub confirmed: u64,
    pub deliveries: u64,
    /// Confirmed or seen, and not in the log under that number; or left out for somebody.
    pub lost: u64,
    /// Under more than one number in the log, or given to somebody twice.
    pub duplicated: u64,
    /// Another message for one than for the others, under the same number.
    pub reordered: u64,
    confirms: HashMap<(String, u64), u64>,
    seen: HashMap<u64, Digest>,
    next: HashMap<String, u64>,
    logged: HashMap<(String, u64), u64>,
}

impl Outcome {
    /// What has come of all of this.
    pub fn of<'a>(history: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut outcome = Self::default();
        for event in history {
            outcome.take(event);
        }
        outcome
    }

    /// Counts one event more.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::Start { who, position, .. } => match position {
                Some(position) => drop(self.next.insert(who.clone(), *position)),
                None => drop(self.next.remove(who)),
            },
            Event::Confirm {
                who,
                sequence,
                order,
            } => {
                self.confirmed += 1;
                self.confirms.insert((who.clone(), *sequence), *order);
            }
            Event::Deliver { who, message } => self.deliver(who, message),
            Event::Skip { who, to } => drop(self.next.insert(who.clone(), *to)),
            Event::Log { message, .. } => self.log(message),
            Event::LogEnd { next, .. } => {
                self.lost += self.confirms.drain().count() as u64;
                self.lost += self.seen.keys().filter(|order| *order >= next).count() as u64;
            }
            _ => {}
        }
    }

    fn deliver(&mut self, who: &str, message: &Message) {
        self.deliveries += 1;
        let order = message.order;
        match self.next.get_mut(who) {
            Some(next) => {
                self.duplicated += u64::from(order < *next);
                self.lost += order.saturating_sub(*next);
                *next = (order + 1).max(*next);
            }
            None => drop(self.next.insert(who.to_owned(), order + 1)),
        }
        self.see(message);
    }

    fn log(&mut self, message: &Message) {
        self.messages += 1;
        self.see(message);
        if let (Some(sender), Some(sequence)) = (&message.sender, message.sequence) {
            let key = (sender.clone(), sequence);
            if self.confirms.get(&key) == Some(&message.order) {
                self.confirms.remove(&key);
            }
            let before = self.logged.insert(key, message.order);
            self.duplicated += u64::from(before.is_some());
        }
    }

    fn see(&mut self, message: &Message) {
        if message.form == Form::Exact {
            let first = self.seen.entry(message.order).or_insert(message.digest);
            self.reordered += u64::from(*first != message.digest);
        }
    }
}
