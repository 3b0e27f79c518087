//! What each application is given: every number once, in order, and in the end all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::Property::{AckSoundness, Liveness, NoDuplication, NoGap};
use super::history::{Event, Message};
use super::{Verdict, broken};

/// All applications, by name.
#[derive(Default)]
pub(super) struct Deliveries {
    readers: BTreeMap<String, Reader>,
    /// The furthest that anybody was told to skip to.
    skipped_to: u64,
}

#[derive(Default)]
struct Reader {
    /// The next number it may be given, if that is known.
    next: Option<u64>,
    /// The first number that nobody of this name was given, in this session.
    end: Option<u64>,
    /// Whether the session that `end` belongs to has ended: what its process is still given does
    /// not count for the next one.
    is_gone: bool,
    /// Where the broker began with the session after that, once it has.
    anew: Option<u64>,
    /// Whether the broker's own cursors are seen at all.
    has_cursor: bool,
    /// Everything before was given up for it, since it is no longer kept.
    trimmed: u64,
    /// The client sequences that it waits to hear of.
    pending: BTreeSet<u64>,
}

impl Deliveries {
    pub(super) fn take(&mut self, event: &Event) -> Verdict {
        match event {
            Event::Start {
                who,
                position,
                keeps_sends,
            } => {
                let reader = self.reader(who);
                reader.next = *position;
                if std::mem::take(&mut reader.is_gone) {
                    reader.end = None;
                }
                let beyond = reader
                    .end
                    .filter(|&end| position.is_some_and(|at| at > end));
                if let Some(end) = beyond {
                    let what = format!("{who} was not given {end}, and goes on behind it");
                    return broken(NoGap, what);
                }
                if !keeps_sends {
                    reader.pending.clear();
                }
            }
            Event::Open {
                who,
                resumed,
                begin,
                ..
            } => return self.reader(who).open(who, *resumed, *begin),
            Event::Send { who, sequence, .. } if *sequence != 0 => {
                self.reader(who).pending.insert(*sequence);
            }
            Event::Confirm { who, sequence, .. }
            | Event::OrderedBefore { who, sequence }
            | Event::Reject { who, sequence, .. } => {
                self.reader(who).pending.remove(sequence);
            }
            Event::Deliver { who, message } => return self.reader(who).deliver(who, message),
            Event::Skip { who, to } => {
                self.skipped_to = self.skipped_to.max(*to);
                let reader = self.reader(who);
                reader.next = reader.next.max(Some(*to));
                reader.end = reader.end.max(Some(*to));
            }
            Event::Gone { who } => {
                let reader = self.reader(who);
                reader.is_gone = true;
                reader.anew = None;
            }
            Event::Cursor { who, floor, .. } => {
                let reader = self.reader(who);
                reader.has_cursor = true;
                reader.anew.get_or_insert(*floor);
            }
            Event::Trims { who, to } => self.reader(who).trimmed = *to,
            Event::Floor { who, floor } => {
                let end = self.reader(who).end;
                if end.is_some_and(|end| *floor > end) {
                    let what = format!("{who} was given what is before {end:?}, not {floor}");
                    return broken(AckSoundness, what);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Nobody was told that something is gone which is still there.
    pub(super) fn skips_below(&self, oldest: u64) -> Verdict {
        let to = self.skipped_to;
        if to > oldest {
            let what = format!("somebody was sent on to {to}, but {oldest} is kept");
            return broken(NoGap, what);
        }
        Ok(())
    }

    /// A client is there at the end, when the next message would be `end`.
    pub(super) fn settled(&mut self, who: &str, receives: bool, end: u64) -> Verdict {
        let reader = self.reader(who);
        if receives && reader.next != Some(end) {
            let next = reader.next;
            let what = format!("{who} waits for {next:?}, and the order goes on with {end}");
            return broken(Liveness, what);
        }
        match reader.pending.first() {
            Some(sequence) => {
                let what = format!("{who} never heard of its client sequence {sequence}");
                broken(Liveness, what)
            }
            None => Ok(()),
        }
    }

    fn reader(&mut self, who: &str) -> &mut Reader {
        if !self.readers.contains_key(who) {
            self.readers.insert(who.to_owned(), Reader::default());
        }
        self.readers.get_mut(who).expect("it was just put there")
    }
}

impl Reader {
    fn open(&mut self, who: &str, resumed: bool, begin: u64) -> Verdict {
        // If the first welcome of a new session was lost, the next one says that it goes on.
        if !resumed || self.is_gone {
            self.end = None;
            // A welcome to the session that has ended may still come.
            let is_late = self.has_cursor && self.anew.is_none_or(|anew| begin < anew);
            self.is_gone &= is_late;
        }
        // One that knows where it was is told what it misses.
        let next = self.next.or(self.end.map(|end| end.max(self.trimmed)));
        if let Some(next) = next.filter(|&next| next < begin) {
            let what = format!("{who} has everything before {next}, and goes on with {begin}");
            return broken(NoGap, what);
        }
        self.next.get_or_insert(begin);
        self.end = self.end.max(Some(begin));
        Ok(())
    }

    fn deliver(&mut self, who: &str, message: &Message) -> Verdict {
        let order = message.order;
        match self.next {
            Some(next) if order < next => {
                return broken(NoDuplication, format!("{who} is given {order} again"));
            }
            Some(next) if order > next => {
                return broken(NoGap, format!("{who} is given {order}, but not {next}"));
            }
            _ => {}
        }
        self.next = Some(order + 1);
        self.end = self.end.max(self.next);
        Ok(())
    }
}
