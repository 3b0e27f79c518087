//! One broker's machine and its peers, as a scenario script moves them.
//!
//! After each command the commit loop does its rounds, and what they bring is carried out as the
//! broker's threads do it: send, then read what was asked for. What happens is written down, a
//! line each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use orden::commit::{CommitLoop, Sync};
use orden::core::{
    Event, Input, Instruction, Limits, LoadError, Now, Outgoing, Packet, Ready, Recovered, Route,
    Seed, Sequencer, Time, Transport, Undelivered, Write,
};
use orden::store::{Error, LogReader as _};
use orden::wire::{LogId, OrderNumber};

use super::memory_log::{self, MemoryLog};
use super::shown;

/// More rounds than any command needs: the machine must come to rest.
const ROUNDS_MAX: usize = 1000;

/// See the module.
pub(crate) struct Scene {
    limits: Limits,
    log: MemoryLog,
    commits: CommitLoop,
    now: Now,
    show_sessions: bool,
    /// Within `together … end`.
    together: bool,
    blocked: BTreeMap<String, Undelivered>,
    /// Instructions so far.
    tickets: u64,
    /// The machine has said that it is drained.
    drained: bool,
    /// What has happened since the last look.
    said: String,
}

impl Scene {
    /// A broker on an empty log.
    pub(crate) fn new() -> Self {
        let limits = Limits::default();
        let log = MemoryLog::new(LogId(7));
        // The machine must not take the beginning of its clock for anything.
        let now = Now {
            time: Time(86_400_000_000),
            wall: 1_700_000_000_000_000,
        };
        Self {
            commits: commits(now, &limits, &log),
            limits,
            log,
            now,
            show_sessions: false,
            together: false,
            blocked: BTreeMap::new(),
            tickets: 0,
            drained: false,
            said: String::new(),
        }
    }

    /// What has happened since the last time.
    pub(crate) fn take_said(&mut self) -> String {
        std::mem::take(&mut self.said)
    }

    /// Changes the broker's limits. The machine is made anew: nobody may have joined yet.
    pub(crate) fn limit(&mut self, change: impl FnOnce(&mut Limits)) {
        change(&mut self.limits);
        self.log = MemoryLog::new(LogId(7));
        self.commits = commits(self.now, &self.limits, &self.log);
    }

    /// A ZeroMQ peer sends a frame.
    pub(crate) fn packet(&mut self, id: &[u8], delimited: bool, body: &[u8], excess: bool) {
        self.step(Input::Packet(Packet {
            id,
            delimited,
            body,
            excess,
            proof: None,
        }));
    }

    /// Something happens to the machine.
    pub(crate) fn step(&mut self, input: Input<'_>) {
        self.commits.step(self.now, input).unwrap();
        if !self.together {
            self.settle();
        }
    }

    /// An operator wants something.
    pub(crate) fn instruct(&mut self, instruction: Instruction) {
        self.tickets += 1;
        let ticket = self.tickets;
        self.step(Input::Operator {
            ticket,
            instruction,
        });
    }

    /// Time passes; what has a deadline is done on time.
    pub(crate) fn wait(&mut self, duration: Duration) {
        let start = self.now.time;
        let end = start + duration;
        for _ in 0..ROUNDS_MAX {
            let due = self.commits.deadline().filter(|&at| at <= end);
            let time = due.unwrap_or(end).max(self.now.time);
            self.now.wall += u64::try_from(time.since(self.now.time).as_micros()).unwrap();
            self.now.time = time;
            let before = std::mem::take(&mut self.said);
            self.step(Input::Tick);
            let said = std::mem::replace(&mut self.said, before);
            for line in said.lines() {
                writeln!(self.said, "+{:?} {line}", time.since(start)).unwrap();
            }
            if due.is_none() {
                return;
            }
        }
        panic!(
            "the machine's deadline never comes: {:?}",
            self.commits.deadline()
        );
    }

    /// The broker's process stands still; then it looks at its clock before it reads anything.
    pub(crate) fn stop_for(&mut self, duration: Duration) {
        self.now.wall += u64::try_from(duration.as_micros()).unwrap();
        self.now.time = self.now.time + duration;
        self.step(Input::Tick);
    }

    /// Until [`settle`](Self::settle), what happens goes into one batch.
    pub(crate) fn together(&mut self) {
        self.together = true;
    }

    /// Carries out what the machine wants done, until it wants nothing.
    pub(crate) fn settle(&mut self) {
        self.together = false;
        for _ in 0..ROUNDS_MAX {
            let ready = self.commits.round(self.now).unwrap();
            let writes = self.log.take_new();
            let is_drained = ready.drained && !self.drained;
            if writes.is_empty() && is_empty(&ready) && !is_drained {
                return;
            }
            self.show(&writes);
            self.carry_out(ready);
        }
        panic!("the machine does not come to rest:\n{}", self.said);
    }

    /// From now on a sync does not end.
    pub(crate) fn stall(&mut self) {
        self.log.stall(true);
    }

    /// The sync ends after all.
    pub(crate) fn unstall(&mut self) {
        self.log.stall(false);
        orden::store::Log::commit(&mut self.log).unwrap();
        self.settle();
    }

    /// The broker is killed, what was not synced is lost but for so many writes, and it starts
    /// again.
    pub(crate) fn crash(&mut self, survive: usize) {
        self.log.crash(survive);
        self.start();
    }

    /// The broker ends in good order and starts again.
    pub(crate) fn restart(&mut self) {
        let fresh = commits(self.now, &self.limits, &MemoryLog::new(LogId(7)));
        let ending = std::mem::replace(&mut self.commits, fresh);
        ending.close(self.now).unwrap();
        let writes = self.log.take_new();
        self.show(&writes);
        self.start();
    }

    fn start(&mut self) {
        let recovered = self.log.open();
        for entry in recovered.sessions() {
            writeln!(self.said, "recovered {}", shown::entry(&entry)).unwrap();
        }
        self.commits = resumed(self.now, &self.limits, recovered, &self.log);
        self.drained = false;
        self.settle();
    }

    /// How many bytes the log can still take.
    pub(crate) fn set_room(&mut self, bytes: usize) {
        self.log.set_room(bytes);
    }

    /// The log lets go of what is older.
    pub(crate) fn trim(&mut self, before: u64) {
        self.log.trim(OrderNumber(before));
    }

    /// Session entries that are written are shown from now on.
    pub(crate) fn show_sessions(&mut self) {
        self.show_sessions = true;
    }

    /// What the socket says when something is sent to this peer.
    pub(crate) fn block(&mut self, peer: &str, why: Option<Undelivered>) {
        match why {
            Some(why) => self.blocked.insert(peer.into(), why),
            None => self.blocked.remove(peer),
        };
    }

    /// How far each member is.
    pub(crate) fn status(&mut self) {
        let mut members: Vec<_> = self.commits.machine().status().collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        for member in members {
            writeln!(
                self.said,
                "{:6} {:6} {} floor={} next={}",
                shown::text(member.name.as_bytes()),
                format!("{:?}", member.dialect).to_lowercase(),
                if member.present { "present" } else { "away" },
                member.floor,
                member.next
            )
            .unwrap();
        }
    }

    /// What was counted.
    pub(crate) fn counters(&mut self) {
        let counters = self.commits.machine().counters().clone();
        let mut line = |name: &str, count: u64| {
            if count > 0 {
                writeln!(self.said, "{name} {count}").unwrap();
            }
        };
        line("ordered", counters.ordered);
        line("repeated", counters.repeated);
        line("delivered", counters.delivered);
        line("resent", counters.resent);
        line("joined", counters.joined);
        line("left", counters.left);
        line("altered", counters.altered);
        for (reason, count) in &counters.refused {
            line(&format!("refused {reason}"), *count);
        }
    }

    fn show(&mut self, writes: &[Write]) {
        for write in writes {
            match write {
                Write::Messages(chunk) => {
                    for record in chunk.records() {
                        writeln!(self.said, "log {}", shown::record(&record)).unwrap();
                    }
                }
                Write::Sessions(bytes) if self.show_sessions => {
                    for entry in memory_log::entries(bytes) {
                        writeln!(self.said, "log session {}", shown::entry(&entry)).unwrap();
                    }
                }
                Write::Sessions(_) | Write::Position(_) => {}
            }
        }
    }

    fn carry_out(&mut self, ready: Ready) {
        assert!(!ready.is_crowded, "scripts have few peers");
        for outgoing in &ready.sends {
            for to in &outgoing.to {
                self.send(to, outgoing);
            }
        }
        for route in &ready.closes {
            let kind = match route.transport {
                Transport::Tcp => "raw",
                Transport::Zmq => "zmq",
            };
            writeln!(self.said, "closed {kind} {}", peer(route)).unwrap();
        }
        for event in &ready.events {
            // The log's own lines say these.
            if !matches!(event, Event::Joined(..) | Event::Left(_)) {
                writeln!(self.said, "event {event:?}").unwrap();
            }
        }
        for reply in &ready.replies {
            let ticket = reply.ticket;
            match reply.result {
                Ok(()) => writeln!(self.said, "operator {ticket}: done").unwrap(),
                Err(why) => writeln!(self.said, "operator {ticket}: {why}").unwrap(),
            }
        }
        if ready.drained && !std::mem::replace(&mut self.drained, true) {
            writeln!(self.said, "drained").unwrap();
        }
        for from in ready.loads {
            writeln!(self.said, "read from {from}").unwrap();
            let result = self.log.read(from).map_err(|error| match error {
                Error::Trimmed(oldest) => LoadError::Trimmed(oldest),
                other => LoadError::Unreadable(other.to_string()),
            });
            let input = Input::Loaded { from, result };
            self.commits.step(self.now, input).unwrap();
        }
    }

    /// Hands the frames to the socket; after one that it does not take, none.
    fn send(&mut self, to: &Route, outgoing: &Outgoing) {
        let peer = peer(to);
        for index in outgoing.range.clone() {
            let frame = &outgoing.frames.bytes()[outgoing.frames.place(index)];
            let dialect = shown::dialect(to.transport, frame);
            let delimited = if to.delimited { "delimited " } else { "" };
            let blocked = self.blocked.get(&peer).copied();
            let shown = shown::frame(frame);
            let mark = if blocked.is_some() { "x" } else { "<" };
            writeln!(self.said, "{delimited}{dialect} {peer} {mark} {shown}").unwrap();
            if let Some(why) = blocked {
                let input = Input::Undelivered { to, why };
                return self.commits.step(self.now, input).unwrap();
            }
        }
    }
}

/// A broker that starts on a log.
fn commits(now: Now, limits: &Limits, log: &MemoryLog) -> CommitLoop {
    resumed(now, limits, log.open(), log)
}

fn resumed(now: Now, limits: &Limits, recovered: Recovered, log: &MemoryLog) -> CommitLoop {
    let machine = Sequencer::new(now, limits.clone(), recovered, Seed::default());
    CommitLoop::new(machine, Box::new(log.clone()), Sync::Always)
}

/// A peer as the scripts name it; what libzmq makes up they call `*1`.
fn peer(route: &Route) -> String {
    match *route.id {
        [0, a, b, c, d] => format!("*{}", u32::from_be_bytes([a, b, c, d])),
        _ => shown::text(&route.id),
    }
}

fn is_empty(ready: &Ready) -> bool {
    ready.sends.is_empty()
        && ready.closes.is_empty()
        && ready.loads.is_empty()
        && ready.events.is_empty()
        && ready.replies.is_empty()
}
