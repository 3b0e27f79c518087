//! One message a number, one number a message, and only what somebody sent.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Property::{
    Causality, Density, Durability, ExactlyOnce, NoCreation, NoReuse, TotalOrder,
};
use super::history::{Digest, Event, Form, Message};
use super::{Verdict, broken};

/// The sender of notices, which nobody sends.
const SERVER: &str = "Server";

/// What was sent, and what is known under each number.
#[derive(Default)]
pub(super) struct Messages {
    sends: HashMap<Digest, Sending>,
    by_sequence: HashMap<(String, u64), Digest>,
    misused: HashSet<Digest>,
    by_order: BTreeMap<u64, Known>,
    epoch: Option<u32>,
    /// One past the highest number that anybody has seen.
    seen_end: u64,
}

/// A message that somebody wants ordered.
pub(super) struct Sending {
    pub(super) who: String,
    sequence: u64,
    /// Its place among all sends.
    pub(super) place: usize,
    /// Everything below this number had been seen by somebody when it was sent.
    after: u64,
    /// How often a message with this text was sent.
    pub(super) times: usize,
    /// Under which numbers it was seen: one for each session that it was sent in.
    orders: BTreeSet<u64>,
    sessions: usize,
}

/// What is known of the message under a number.
#[derive(Default)]
struct Known {
    forms: BTreeMap<Form, Digest>,
    sender: Option<String>,
    sequence: Option<u64>,
    confirmed: bool,
}

impl Messages {
    pub(super) fn take(&mut self, event: &Event) -> Verdict {
        match event {
            Event::Send {
                who,
                sequence,
                digest,
            } => self.send(who, *sequence, *digest),
            Event::Misuse { digest, .. } => {
                self.misused.insert(*digest);
            }
            Event::Reject { who, sequence, .. } => {
                let digest = self.by_sequence.get(&(who.clone(), *sequence));
                self.misused.extend(digest);
            }
            Event::Confirm {
                who,
                sequence,
                order,
            } => return self.confirm(who, *sequence, *order),
            Event::Deliver { message, .. } => {
                self.seen_end = self.seen_end.max(message.order + 1);
                return self.see(message);
            }
            Event::Log { message, .. } => return self.see(message),
            Event::Gone { who } => self.forget(who),
            Event::BrokerStart { epoch, next } => return self.start(*epoch, *next),
            _ => {}
        }
        Ok(())
    }

    /// What was sent with this text.
    pub(super) fn sending(&self, digest: Digest) -> Option<&Sending> {
        self.sends.get(&digest)
    }

    /// The log ends with `next`: nothing that was seen lies beyond.
    pub(super) fn all_below(&self, next: u64) -> Verdict {
        let Some((order, known)) = self.by_order.range(next..).next() else {
            return Ok(());
        };
        let property = if known.confirmed { Durability } else { NoReuse };
        broken(
            property,
            format!("{order} was seen, and the log goes on with {next}"),
        )
    }

    fn send(&mut self, who: &str, sequence: u64, digest: Digest) {
        let place = self.sends.len();
        let sending = self.sends.entry(digest).or_insert_with(|| Sending {
            who: who.to_owned(),
            sequence,
            place,
            after: self.seen_end,
            times: 0,
            orders: BTreeSet::new(),
            sessions: 1,
        });
        sending.times += 1;
        if sequence != 0 {
            self.by_sequence.insert((who.to_owned(), sequence), digest);
        }
    }

    /// A session has ended, and with it what its client sequences meant: what was not confirmed
    /// may be sent again, and is another message then.
    fn forget(&mut self, who: &str) {
        for sending in self.sends.values_mut().filter(|sending| sending.who == who) {
            let known = |order| self.by_order.get(order);
            let is_confirmed = |order| known(order).is_some_and(|known| known.confirmed);
            if !sending.orders.iter().any(is_confirmed) {
                sending.sessions += 1;
            }
        }
    }

    fn confirm(&mut self, who: &str, sequence: u64, order: u64) -> Verdict {
        let Some(&digest) = self.by_sequence.get(&(who.to_owned(), sequence)) else {
            let what = format!("{who} was confirmed {sequence}, which it has not sent");
            return broken(NoCreation, what);
        };
        self.seen_end = self.seen_end.max(order + 1);
        self.see(&Message {
            order,
            sender: Some(who.to_owned()),
            sequence: Some(sequence),
            digest,
            form: Form::Exact,
        })?;
        self.by_order.entry(order).or_default().confirmed = true;
        Ok(())
    }

    fn start(&mut self, epoch: u32, next: u64) -> Verdict {
        if let Some(before) = self.epoch.replace(epoch)
            && epoch <= before
        {
            return broken(Density, format!("epoch {epoch} comes after epoch {before}"));
        }
        self.all_below(next)
    }

    /// Somebody has seen a message under its number.
    fn see(&mut self, message: &Message) -> Verdict {
        let order = message.order;
        let known = self.by_order.entry(order).or_default();
        let before = known.forms.insert(message.form, message.digest);
        if before.is_some_and(|before| before != message.digest) {
            return broken(TotalOrder, format!("{order} stands for two messages"));
        }
        if differ(&mut known.sender, message.sender.as_ref()) {
            return broken(TotalOrder, format!("{order} has two senders"));
        }
        if differ(&mut known.sequence, message.sequence.as_ref()) {
            return broken(TotalOrder, format!("{order} has two client sequences"));
        }
        match message.form {
            Form::Exact => self.trace(message),
            // It shows where it comes from once somebody sees it as it was sent.
            Form::Replaced | Form::Cut => Ok(()),
        }
    }

    /// Looks up where a message comes from.
    fn trace(&mut self, message: &Message) -> Verdict {
        let order = message.order;
        if self.misused.contains(&message.digest) {
            return broken(ExactlyOnce, format!("{order} should have been refused"));
        }
        let Some(sending) = self.sends.get_mut(&message.digest) else {
            if message.sender.as_deref() == Some(SERVER) {
                return Ok(());
            }
            return broken(NoCreation, format!("nobody has sent {order}"));
        };
        let is_unknown = sending.who.starts_with('*') || sending.times > 1;
        if let Some(sender) = &message.sender
            && !is_unknown
            && *sender != sending.who
        {
            let what = format!("{order} is by {}, and not by {sender}", sending.who);
            return broken(NoCreation, what);
        }
        if sending.times > 1 {
            return Ok(());
        }
        if let Some(sequence) = message.sequence
            && !is_unknown
            && sequence != sending.sequence
        {
            let what =
                format!("{order} has client sequence {sequence}, which it was not sent with");
            return broken(NoCreation, what);
        }
        if order < sending.after {
            let last = sending.after - 1;
            let what = format!("{order} was sent after somebody had seen {last}");
            return broken(Causality, what);
        }
        sending.orders.insert(order);
        if sending.orders.len() > sending.sessions {
            let orders = &sending.orders;
            return broken(ExactlyOnce, format!("{orders:?} are one message"));
        }
        Ok(())
    }
}

/// Takes in what is new; says whether it contradicts what is known.
fn differ<T: Clone + PartialEq>(known: &mut Option<T>, seen: Option<&T>) -> bool {
    match (&known, seen) {
        (Some(known), Some(seen)) => known != seen,
        (None, Some(seen)) => {
            *known = Some(seen.clone());
            false
        }
        _ => false,
    }
}
