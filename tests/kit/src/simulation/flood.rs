//! A flood: one publisher sends as fast as its window lets it, to members of every speed. Both
//! halves of a promise are judged: the quickest member is never far behind; and a publisher is not
//! slowed by members that are slow, stop or are away, nor held for ever.
//!
//! Time goes in steps, and nothing else goes wrong here.

use std::collections::VecDeque;
use std::time::Duration;

use orden::core::{Input, Limits, Now, Recovered, Seed, Sequencer, Time};
use orden::wire::native::{PublishFrame, ack};
use orden::wire::reply::{self, BrokerMessage};
use orden::wire::{ClientSequence, LogId, OrderNumber, batch};

use crate::simulation::dice::Dice;
use crate::words::{hello, packet};

/// Steps of a turn.
const STEPS: u64 = 40;
/// What goes before the judge looks: the quick have to show that they are, and to catch up.
const WARM_UP: u64 = 10 * STEPS;
/// How long each half goes on.
const HALF: u64 = 24 * STEPS;
const PUBLISHER: &[u8] = b"publisher";
/// How much faster than the members' windows turn the publisher's link is.
const LINK: usize = 8;

struct Member {
    id: Vec<u8>,
    /// Bytes that it takes in a step.
    speed: usize,
    /// What it may take now; less than nothing while it is busy with a large frame.
    credit: i64,
    inbox: VecDeque<(OrderNumber, usize)>,
    floor: OrderNumber,
}

struct Flood {
    machine: Sequencer,
    now: Now,
    step: Duration,
    limits: Limits,
    members: Vec<Member>,
    size: usize,
    /// The most bytes that the publisher has unconfirmed, and those that it has.
    window: usize,
    unconfirmed: VecDeque<Time>,
    published: u64,
    sequence: ClientSequence,
}

/// Runs the flood of a seed; says what is wrong with it, if anything is.
pub(crate) fn run(seed: u64) -> Result<(), String> {
    let mut dice = Dice::new(seed ^ 0xF100D);
    let mut flood = Flood::new(&mut dice);
    let quickest = flood.quickest();
    for step in 0..HALF {
        flood.go_on()?;
        if quickest > 0 && step >= WARM_UP {
            flood.judge_lag()?;
        }
    }
    if quickest > 0 {
        flood.judge_speed(quickest * 3 / 4)?;
    } else {
        flood.judge_speed(flood.link() * 3 / 4)?;
    }
    // Now no member is quick any more.
    for member in &mut flood.members {
        member.speed = dice.pick(&[0, 0, member.speed / 64]);
    }
    for _ in 0..WARM_UP {
        flood.go_on()?;
    }
    flood.published = 0;
    for _ in 0..HALF {
        flood.go_on()?;
    }
    flood.judge_speed(flood.link() * 3 / 4)
}

impl Flood {
    fn new(dice: &mut Dice) -> Self {
        let size = dice.count(1_000, 4_000);
        let window_bytes = size * dice.count(20, 60);
        let turn = dice.millis(10, 100);
        let limits = Limits {
            window_bytes,
            batch_bytes: window_bytes,
            pace_bytes: window_bytes * dice.count(1, 3),
            pace_turn: turn,
            pace_most: turn * 4,
            resend_after: turn * 100,
            ..Limits::default()
        };
        let recovered = Recovered::nothing(LogId(1), 0);
        let machine = Sequencer::new(Now::default(), limits.clone(), recovered, Seed::default());
        let a_step = window_bytes / usize::try_from(STEPS).unwrap();
        let speeds = [a_step * 2, a_step * 4, a_step / 4, a_step / 16, 0];
        let only_slow = dice.chance(400);
        let members = (0..dice.count(0, 5))
            .map(|at| Member {
                id: format!("{at}").into_bytes(),
                speed: dice.pick(&speeds[if only_slow { 2 } else { 0 }..]),
                credit: 0,
                inbox: VecDeque::new(),
                floor: OrderNumber(0),
            })
            .collect();
        let step = turn / u32::try_from(STEPS).unwrap();
        let mut flood = Self {
            machine,
            now: Now::default(),
            step,
            window: window_bytes * dice.count(2, 4),
            limits,
            members,
            size,
            unconfirmed: VecDeque::new(),
            published: 0,
            sequence: ClientSequence(0),
        };
        flood.says(PUBLISHER, &hello(PUBLISHER, false).encode());
        for at in 0..flood.members.len() {
            let id = flood.members[at].id.clone();
            flood.says(&id, &hello(&id, true).encode());
        }
        flood
    }

    /// Bytes that the quickest member takes in a step, if one is quick.
    fn quickest(&self) -> usize {
        let quick = self.limits.window_bytes / usize::try_from(STEPS).unwrap();
        let speeds = self.members.iter().map(|member| member.speed);
        speeds.filter(|&speed| speed > quick).max().unwrap_or(0)
    }

    /// Bytes that the publisher's link takes in a step.
    fn link(&self) -> usize {
        self.limits.window_bytes / usize::try_from(STEPS).unwrap() * LINK
    }

    fn says(&mut self, id: &[u8], body: &[u8]) {
        self.machine.step(self.now, packet(id, body));
    }

    /// A step of publisher, members and broker.
    fn go_on(&mut self) -> Result<(), String> {
        self.now.time = self.now.time + self.step;
        let mut left = self.link();
        while left >= self.size && (self.unconfirmed.len() + 1) * self.size <= self.window {
            left -= self.size;
            self.published += 1;
            self.sequence.0 += 1;
            let mut frame = PublishFrame::new(self.sequence);
            frame.push(&vec![b'x'; self.size]);
            self.unconfirmed.push_back(self.now.time);
            self.says(PUBLISHER, &frame.finish());
        }
        self.members_take();
        self.round();
        let oldest = self.unconfirmed.front().copied();
        let waits = oldest.map_or(Duration::ZERO, |at| self.now.time.since(at));
        if waits > self.limits.pace_most + self.step * 2 {
            return Err(format!("a flood: nothing was confirmed for {waits:?}"));
        }
        Ok(())
    }

    /// Each member takes what it can, and acknowledges it.
    fn members_take(&mut self) {
        for at in 0..self.members.len() {
            let member = &mut self.members[at];
            let speed = i64::try_from(member.speed).unwrap();
            member.credit = (member.credit + speed).min(speed);
            let mut taken = None;
            while member.credit > 0
                && let Some((end, bytes)) = member.inbox.pop_front()
            {
                member.credit -= i64::try_from(bytes).unwrap();
                taken = Some(end);
            }
            if let Some(end) = taken {
                member.floor = end;
                let (id, body) = (member.id.clone(), ack(OrderNumber(end.0 - 1)));
                self.says(&id, &body);
            }
        }
    }

    /// A round of the broker's, whose log takes no time.
    fn round(&mut self) {
        self.machine.step(self.now, Input::Tick);
        let writes = self.machine.writes(self.now);
        self.machine.step(self.now, Input::Committed(writes.index));
        for outgoing in self.machine.ready(self.now).sends {
            let frame = &outgoing.frames.bytes()[outgoing.frames.place(outgoing.range.start)];
            for to in &outgoing.to {
                match reply::decode(frame) {
                    Ok(BrokerMessage::Confirm(runs)) => {
                        let count: usize = runs.iter().map(|run| run.count as usize).sum();
                        self.unconfirmed.drain(..count);
                    }
                    Ok(BrokerMessage::Messages(frame)) => self.delivers(&to.id, frame),
                    _ => {}
                }
            }
        }
    }

    fn delivers(&mut self, to: &[u8], frame: &[u8]) {
        let last = batch::records(frame).filter_map(Result::ok).last();
        let member = self.members.iter_mut().find(|member| member.id == to);
        if let (Some(last), Some(member)) = (last, member) {
            member.inbox.push_back((last.order.plus(1), frame.len()));
        }
    }

    /// The member that is furthest is behind by what may be unconfirmed and what paces, not more.
    fn judge_lag(&self) -> Result<(), String> {
        let floors = self.members.iter().map(|member| member.floor.0);
        let messages = self.machine.next_order().0 - floors.max().unwrap_or_default();
        let behind = usize::try_from(messages).unwrap() * self.size;
        let most = self.window + self.limits.pace_bytes + self.link();
        if behind > most {
            return Err(format!(
                "a flood: the quickest member is {behind} bytes behind, and not {most}"
            ));
        }
        Ok(())
    }

    /// The publisher has had so many bytes ordered a step.
    fn judge_speed(&self, least: usize) -> Result<(), String> {
        let bytes = usize::try_from(self.published).unwrap() * self.size;
        let least = least * usize::try_from(HALF).unwrap();
        if bytes < least {
            return Err(format!(
                "a flood: {bytes} bytes were published where no member should hold up {least}"
            ));
        }
        Ok(())
    }
}
