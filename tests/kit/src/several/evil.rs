//! Worlds in which the engine breaks its word once: every broker has to stop, and no member may be
//! delivered a second history.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use orden::core::Time;
use orden::core::replica::Scribe;
use orden::stream::StreamEvent;
use orden::wire::stream_record::Proposal;
use orden::wire::{Position, Writer};

use super::{Happening, IDENTITY, Sometimes, TROUBLE, World};

/// All have stopped within this time.
const PATIENCE: u64 = 60_000_000;
/// Records that stay as they were: what came behind them had been applied.
const KEPT: usize = 2;
/// How the engine breaks its word.
const KINDS: u64 = 6;

/// Runs the world of a seed in which records that were applied are not what they were, or the
/// brokers do not read the same ones.
///
/// # Panics
/// If a broker goes on, or a member is delivered a second history.
#[must_use]
pub fn run_evil(seed: u64) -> Sometimes {
    let mut world = World::new(seed);
    world.is_evil = true;
    world.keep_bytes = None;
    world.begin();
    world.run_until(TROUBLE, false);
    let applied: Vec<_> = (world.brokers.iter())
        .map(|broker| {
            let process = broker.process.as_ref();
            process.map(|process| process.commits.machine().applied().0.0)
        })
        .collect();
    let end = Some(world.engine.records.len() as u64).filter(|&end| end > KEPT as u64);
    let is_split = world.break_word(seed);
    world.run_until(TROUBLE + 1_000_000, false);
    world.heal();
    let end_of_patience = world.now + PATIENCE;
    world.run_until(end_of_patience, false);
    // One that was behind reads what has changed as if it had never been otherwise, and whether it
    // hears of the others depends on what becomes of their last records.
    let had_all = |applied: &Option<u64>| end.is_some() && *applied == end;
    let must_know = |at: &usize| !is_split && had_all(&applied[*at]);
    let goes_on = |at: &usize| !world.brokers[*at].is_halted;
    let goes_on: Vec<_> = (0..world.brokers.len()).filter(goes_on).collect();
    if let Some(at) = goes_on.iter().find(|at| must_know(at)) {
        panic!(
            "broker {at} goes on, which had applied {applied:?} of {end:?}: {}",
            world.describe()
        );
    }
    let somebody_stops = goes_on.len() < world.brokers.len();
    let all_were_behind = !applied.iter().any(had_all);
    assert!(
        somebody_stops || all_were_behind,
        "no broker stops: {}",
        world.describe()
    );
    if goes_on.is_empty() && !is_split {
        world.judge_one_history();
    }
    if !goes_on.is_empty() {
        world.count("evil: a broker that was behind goes on");
    }
    world.sometimes
}

impl World {
    /// Says whether brokers read different records: until they find out, they cannot know.
    fn break_word(&mut self, seed: u64) -> bool {
        self.engine.release();
        match seed % KINDS {
            0 => {
                self.count("evil: records lost that were applied");
                self.engine.records.truncate(KEPT);
            }
            1 => {
                self.count("evil: records replaced that were applied");
                let found = self.engine.records[0].clone();
                self.engine.records[KEPT..].fill(found);
            }
            2 => {
                self.count("evil: bits flipped in records that were applied");
                for record in &mut self.engine.records[KEPT..] {
                    let (byte, bit) = (self.dice.index(record.len()), self.dice.index(8));
                    record[byte] ^= 1 << bit;
                }
            }
            3 => {
                self.count("evil: the stream is made anew");
                self.engine.records.truncate(1);
                for broker in 0..self.brokers.len() {
                    if let Some(number) = self.process_of(broker) {
                        let event = StreamEvent::Broken("the stream was made anew".into());
                        self.send_event(broker, number, event, 900_000);
                    }
                }
            }
            4 if self.brokers.len() > 1 => {
                self.count("evil: a replica has gone its own way");
                let broker = self.dice.index(self.brokers.len());
                let next = self.engine.records.len() as u64 + 1;
                self.engine.diverged = Some((broker, next));
                return true;
            }
            _ => {
                self.count("evil: a record of a writer that has seen another history");
                self.forge();
                return false;
            }
        }
        // The servers were started anew: nothing that is on its way reaches them.
        let is_append = |happening: &Happening| matches!(happening, Happening::Appends { .. });
        self.queue
            .retain(|Reverse((_, _, happening))| !is_append(happening));
        self.happen(Happening::Leader(false));
        self.later(100_000, 900_000, Happening::Leader(true));
        false
    }

    /// A record that is whole, of this order, and claims what is not so.
    fn forge(&mut self) {
        let before = self.engine.records.len();
        let mut scribe = Scribe::new(IDENTITY.log_id, Writer(0xBAD), Time(self.now), 1);
        scribe.propose(&Proposal::Leave { seat: 1 });
        let seen = (Position(before as u64), 0x0BAD_0BAD);
        let forged = scribe.appends(Time(self.now), self.moment().wall, seen);
        let forged = forged.iter().map(|append| append.record.to_vec());
        self.engine.records.extend(forged);
        self.spread(before);
    }

    /// A number was delivered with the same message everywhere, and it is the one that was
    /// confirmed.
    fn judge_one_history(&self) {
        let mut history = BTreeMap::new();
        for client in &self.clients {
            let Some(begin) = client.begin else { continue };
            for (order, received) in (begin..).zip(&client.received) {
                let Some(received) = received else { continue };
                let known = history.entry(order).or_insert(received);
                assert_eq!(*known, received, "two histories: {} {order}", client.name);
            }
        }
        for client in &self.clients {
            for (sequence, order) in (1..).zip(&client.confirmed) {
                let Some((sender, payload)) = history.get(order) else {
                    continue;
                };
                let said = format!("{} {sequence}", client.name);
                let is_it =
                    (&sender[..], &payload[..]) == (client.name.as_bytes(), said.as_bytes());
                assert!(is_it, "two histories: {said} was confirmed as {order}");
            }
        }
    }
}
