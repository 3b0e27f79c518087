//! A broker without a disk: what its log keeps for members that are behind the tail which the
//! machine holds, and for how long.

#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

use orden::commit::{CommitLoop, Sync};
use orden::core::{Input, Limits, LoadError, Now, Seed, Sequencer};
use orden::store::{self, Error, Identity, LogReader, MemoryOptions};
use orden::wire::native::{Goodbye, Hello, PublishFrame, Start, ack};
use orden::wire::reply::{self, BrokerMessage};
use orden::wire::{ClientSequence, LogId, OrderNumber, batch};
use orden_kit::words::{hello, packet};

/// Bytes of a message.
const SIZE: usize = 1000;
/// Messages far beyond all that is kept.
const MANY: u64 = 200;
const IDENTITY: Identity = Identity {
    log_id: LogId(7),
    secret: 8,
};

/// A broker without sockets, the numbers that `ana` was sent since the last look, and the number
/// that it was told to go on with as what came before is no longer kept.
struct Stage {
    commits: CommitLoop,
    reader: Box<dyn LogReader>,
    now: Now,
    published: u64,
    seen: Vec<u64>,
    trimmed: Option<u64>,
}

impl Stage {
    /// With a member `ana`, and one that only publishes.
    fn new(sync: Sync, memory: MemoryOptions) -> Self {
        let opened = store::memory(IDENTITY, memory);
        let now = Now::default();
        let limits = Limits {
            window_frames: 1,
            tail_bytes: 1,
            loaded_bytes: 1,
            ..Limits::default()
        };
        let reader = opened.log.reader();
        let machine = Sequencer::new(now, limits, opened.recovered, Seed::default());
        let mut stage = Self {
            commits: CommitLoop::new(machine, opened.log, sync),
            reader,
            now,
            published: 0,
            seen: Vec::new(),
            trimmed: None,
        };
        for (name, receive) in [("publisher", false), ("ana", true)] {
            stage.hello(name, Start::Now, receive);
        }
        stage
    }

    fn hello(&mut self, name: &str, start: Start, receive: bool) {
        let hello = Hello {
            start,
            ..hello(name.as_bytes(), receive)
        };
        self.says(name, &hello.encode());
    }

    fn says(&mut self, id: &str, body: &[u8]) {
        let said = packet(id.as_bytes(), body);
        self.commits.step(self.now, said).unwrap();
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            let ready = self.commits.round(self.now).unwrap();
            self.commits.rest().unwrap();
            for outgoing in &ready.sends {
                if outgoing.to.iter().any(|to| *to.id == *b"ana") {
                    self.hears(&outgoing.frames.bytes()[outgoing.frames.place(0)]);
                }
            }
            for from in &ready.loads {
                let result = self.reader.read(*from).map_err(|error| match error {
                    Error::Trimmed(oldest) => LoadError::Trimmed(oldest),
                    other => panic!("{from} cannot be read: {other}"),
                });
                let loaded = Input::Loaded {
                    from: *from,
                    result,
                };
                self.commits.step(self.now, loaded).unwrap();
            }
            if ready.sends.is_empty() && ready.loads.is_empty() {
                return;
            }
        }
    }

    fn hears(&mut self, frame: &[u8]) {
        match reply::decode(frame).unwrap() {
            BrokerMessage::Messages(batches) => {
                let orders = batch::records(batches).map(|record| record.unwrap().order.0);
                self.seen.extend(orders);
            }
            BrokerMessage::Refusal(refusal) => self.trimmed = Some(refusal.detail),
            _ => {}
        }
    }

    fn publish(&mut self, messages: u64) {
        for _ in 0..messages {
            self.published += 1;
            let mut frame = PublishFrame::new(ClientSequence(self.published));
            frame.push(&[b'x'; SIZE]);
            self.says("publisher", &frame.finish());
        }
    }

    /// `ana` takes and acknowledges all there is; returns what it was sent, each number once.
    fn catch_up(&mut self) -> Vec<u64> {
        let end = self.commits.machine().next_order().0;
        while let Some(&last) = self.seen.last()
            && last + 1 < end
        {
            self.says("ana", &ack(OrderNumber(last)));
            assert_ne!(self.seen.last(), Some(&last), "nothing comes after {last}");
        }
        let last = self.seen.last().expect("it was sent something");
        self.says("ana", &ack(OrderNumber(*last)));
        let mut seen = std::mem::take(&mut self.seen);
        seen.dedup();
        seen
    }

    fn kept(&self) -> u64 {
        self.commits.machine().next_order().0 - self.commits.log().oldest().0
    }
}

fn little() -> MemoryOptions {
    MemoryOptions {
        retain_bytes: 1,
        behind_bytes: u64::MAX,
    }
}

#[test]
fn a_connected_member_behind_the_tail_misses_nothing() {
    for sync in [Sync::Always, Sync::Never] {
        let mut stage = Stage::new(sync, little());
        stage.publish(MANY);
        assert!(stage.seen.len() < 3, "a window: {:?}", stage.seen);
        let seen = stage.catch_up();
        assert_eq!(stage.trimmed, None);
        assert!(
            seen.windows(2).all(|pair| pair[0] + 1 == pair[1]),
            "{seen:?}"
        );
        assert!(seen.len() as u64 >= MANY, "{seen:?}");
        // What all have acknowledged is let go of.
        stage.publish(1);
        assert!(stage.kept() <= 2, "{}", stage.kept());
    }
}

#[test]
fn a_member_that_is_away_keeps_nothing() {
    let mut stage = Stage::new(Sync::Always, little());
    stage.says("ana", &Goodbye::Away.encode());
    stage.publish(MANY);
    assert!(stage.kept() <= 2, "{}", stage.kept());
    stage.hello("ana", Start::Now, true);
    assert!(stage.trimmed.is_some(), "it is told");
    stage.trimmed = None;
    // From then on it counts again.
    stage.publish(MANY);
    assert!(stage.kept() > MANY);
    assert_eq!(stage.catch_up().last(), Some(&(2 * MANY + 1)));
    assert_eq!(stage.trimmed, None);
}

#[test]
fn a_member_that_takes_nothing_is_kept_for_up_to_a_bound() {
    let bound = 20 * SIZE as u64;
    let memory = MemoryOptions {
        behind_bytes: bound,
        ..little()
    };
    let mut stage = Stage::new(Sync::Always, memory);
    stage.publish(MANY);
    assert!((10..=20).contains(&stage.kept()), "{}", stage.kept());
    stage.catch_up();
    let oldest = stage.trimmed.expect("it is told");
    assert!(oldest + 21 >= MANY, "{oldest}");
}
