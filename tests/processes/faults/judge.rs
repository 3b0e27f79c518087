//! Decides from histories and the log whether every promise was kept. Each complaint begins with
//! the property that is broken: P1 nothing from nowhere, P2 nothing twice, P3 one order for all,
//! P4 no gaps, P5 dense numbers, P6 and P8 what one has seen is in the log and seen by all,
//! P7 what was confirmed is in the log, P9 everybody gets to the end, P10 a sender's own order,
//! P11 causes before effects, P12 ordered once, P13 only what was seen is acknowledged, P14 a
//! session goes on where it was.

use std::collections::{BTreeMap, HashMap};

use crate::faults::history::Event;

/// A message of the log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) order: u64,
    pub(crate) sender: String,
    pub(crate) sequence: u64,
    pub(crate) digest: u64,
    /// What peers of the fixed dialects see of it.
    pub(crate) rendered: u64,
    pub(crate) is_notice: bool,
}

/// What a member can be held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It publishes with its own numbers, and resumes where it was.
    Native,
    /// Its publishes may be lost on the way, and it sees renderings.
    Fixed,
    /// As native, but only there at times: it need not get to the end.
    Passing,
}

/// A member's history.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) events: Vec<Event>,
}

/// Everything that is judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence {
    pub(crate) log: Vec<Entry>,
    pub(crate) accounts: Vec<Account>,
    /// The first number that each session has not acknowledged, as the log tells.
    pub(crate) floors: BTreeMap<String, u64>,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) messages: u64,
    pub(crate) deliveries: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) complaints: Vec<String>,
}

/// Complaints beyond these are only counted.
const COMPLAINTS_MAX: usize = 20;

impl Evidence {
    pub(crate) fn judge(&self) -> Verdict {
        let mut verdict = Verdict {
            messages: self.log.len() as u64,
            ..Verdict::default()
        };
        self.judge_log(&mut verdict);
        for account in &self.accounts {
            self.judge_deliveries(account, &mut verdict);
            self.judge_confirmations(account, &mut verdict);
        }
        self.judge_causes(&mut verdict);
        verdict
    }

    /// P1, P5, P10, P12: what the log holds was said, in this order, once.
    fn judge_log(&self, verdict: &mut Verdict) {
        let mut said: HashMap<(&str, u64), u64> = HashMap::new();
        for account in &self.accounts {
            for event in &account.events {
                if let Event::Sent { digest, .. } = event {
                    *said.entry((&account.name, *digest)).or_default() += 1;
                }
            }
        }
        let mut last: HashMap<&str, u64> = HashMap::new();
        for (place, entry) in (0..).zip(&self.log) {
            if entry.order != place {
                verdict.complain("P5", &format!("{} at place {place}", entry.order));
            }
            if entry.is_notice {
                continue;
            }
            let (sender, order) = (entry.sender.as_str(), entry.order);
            match said.get_mut(&(sender, entry.digest)) {
                Some(left @ 1..) => *left -= 1,
                Some(_) if entry.sequence == 0 => {
                    verdict.duplicate("P12", &format!("{order} of {sender} again"));
                }
                Some(_) => {}
                None => verdict.complain("P1", &format!("{order} of {sender}: not said")),
            }
            if entry.sequence > 0 {
                let last = last.entry(sender).or_default();
                let what = format!("{order} of {sender}: {} after {last}", entry.sequence);
                match entry.sequence {
                    next if next == *last + 1 => {}
                    old if old <= *last => verdict.duplicate("P12", &what),
                    _ => verdict.reorder("P10", &what),
                }
                *last = entry.sequence.max(*last);
            }
        }
    }

    /// P2, P3, P4, P6, P8, P9, P13, P14: what a member was given.
    fn judge_deliveries(&self, account: &Account, verdict: &mut Verdict) {
        let name = &account.name;
        let mut next = None;
        for event in &account.events {
            match *event {
                Event::Began { begin, .. } if account.kind != Kind::Fixed => {
                    // Deliveries may begin earlier than asked for, never later.
                    if next.is_some_and(|next| begin > next) {
                        verdict.lose("P14", &format!("{name} resumes at {begin}, not {next:?}"));
                    }
                    next.get_or_insert(begin);
                }
                Event::Delivered { order, digest } => {
                    verdict.deliveries += 1;
                    let expected = *next.get_or_insert(order);
                    match order {
                        same if same == expected => {}
                        old if old < expected => {
                            verdict.duplicate("P2", &format!("{name} got {order} again"));
                        }
                        _ => verdict.lose("P4", &format!("{name}: {order}, not {expected}")),
                    }
                    next = Some(order.max(expected) + u64::from(order >= expected));
                    self.compare(account, order, digest, verdict);
                }
                _ => {}
            }
        }
        let end = self.log.len() as u64;
        if account.kind != Kind::Passing && next != Some(end) {
            verdict.lose("P9", &format!("{name} ended before {next:?} of {end}"));
        }
        let floor = self.floors.get(name).copied();
        if account.kind != Kind::Passing && floor > next {
            verdict.complain("P13", &format!("{name}: {floor:?} of {next:?}"));
        }
    }

    fn compare(&self, account: &Account, order: u64, digest: u64, verdict: &mut Verdict) {
        let entry = usize::try_from(order).ok().and_then(|at| self.log.get(at));
        let name = &account.name;
        let Some(entry) = entry else {
            return verdict.lose("P6", &format!("{name} saw {order}, which is gone"));
        };
        let expected = match account.kind {
            Kind::Fixed => entry.rendered,
            Kind::Native | Kind::Passing => entry.digest,
        };
        if digest != expected {
            verdict.reorder("P3", &format!("{name} saw another {order}"));
        }
    }

    /// P7, P12: what a member was told of its messages.
    fn judge_confirmations(&self, account: &Account, verdict: &mut Verdict) {
        let name = &account.name;
        let (mut sent, mut confirmed) = (0, 0);
        for event in &account.events {
            match *event {
                Event::Sent { sequence, .. } => sent = sequence,
                Event::Confirmed {
                    sequence,
                    count,
                    order,
                    ..
                } => {
                    for step in 0..count {
                        let at = usize::try_from(order + step).unwrap_or(usize::MAX);
                        let holds = self.log.get(at).is_some_and(|entry| {
                            entry.sender == *name && entry.sequence == sequence + step
                        });
                        if !holds {
                            let what = sequence + step;
                            verdict.lose("P7", &format!("{name}'s {what} is not at {at}"));
                        }
                    }
                    confirmed = sequence + count - 1;
                }
                _ => {}
            }
        }
        if account.kind == Kind::Native && confirmed != sent {
            verdict.lose("P9", &format!("{name}: {confirmed} of {sent} confirmed"));
        }
    }

    /// P11: a message comes after all that its sender had seen, and after all that anybody knew
    /// to be ordered when it was sent.
    fn judge_causes(&self, verdict: &mut Verdict) {
        let native = self.log.iter().filter(|entry| entry.sequence > 0);
        let orders: HashMap<_, _> = native
            .map(|entry| ((entry.sender.as_str(), entry.sequence), entry.order))
            .collect();
        let mut confirmed = Vec::new();
        let mut sent = Vec::new();
        for account in &self.accounts {
            for event in &account.events {
                match *event {
                    Event::Confirmed {
                        count, order, at, ..
                    } => confirmed.push((at, order + count - 1)),
                    Event::Sent {
                        sequence,
                        at,
                        after,
                        ..
                    } => sent.push((at, account.name.as_str(), sequence, after)),
                    _ => {}
                }
            }
        }
        confirmed.sort_unstable();
        sent.sort_unstable();
        let mut known = confirmed.iter().peekable();
        let mut highest = None;
        for (at, name, sequence, after) in sent {
            while let Some((_, order)) = known.next_if(|(then, _)| *then < at) {
                highest = highest.max(Some(*order));
            }
            let Some(&order) = orders.get(&(name, sequence)) else {
                continue;
            };
            if order < after || Some(order) <= highest {
                let what = format!("{name}'s {sequence} is {order}, after {after}, {highest:?}");
                verdict.reorder("P11", &what);
            }
        }
    }
}

impl Verdict {
    fn lose(&mut self, property: &str, what: &str) {
        self.lost += 1;
        self.complain(property, what);
    }

    fn duplicate(&mut self, property: &str, what: &str) {
        self.duplicated += 1;
        self.complain(property, what);
    }

    fn reorder(&mut self, property: &str, what: &str) {
        self.reordered += 1;
        self.complain(property, what);
    }

    fn complain(&mut self, property: &str, what: &str) {
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(format!("{property}: {what}"));
        }
    }
}
