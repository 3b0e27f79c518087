//! A crowd of members: what comes while they are sent something is one frame to each, and waits
//! for the sockets.

use std::collections::HashMap;

use orden::core::{Input, Limits, Now, Ready, Recovered, Seed, Sequencer};
use orden::wire::native::{PublishFrame, ack};
use orden::wire::{ClientSequence, LogId, OrderNumber};
use orden_kit::words::{hello, packet};

const CROWD: usize = 50;

struct Stage {
    machine: Sequencer,
    published: u64,
    /// Frames of messages that each was sent.
    frames: HashMap<Vec<u8>, u64>,
}

impl Stage {
    fn new() -> Self {
        let limits = Limits {
            crowd: CROWD,
            ..Limits::default()
        };
        let recovered = Recovered::nothing(LogId(1), 0);
        let machine = Sequencer::new(Now::default(), limits, recovered, Seed::default());
        Self {
            machine,
            published: 0,
            frames: HashMap::new(),
        }
    }

    fn says(&mut self, id: &[u8], body: &[u8]) -> Ready {
        self.step(packet(id, body))
    }

    fn joins(&mut self, id: &[u8], receive: bool) -> Ready {
        self.says(id, &hello(id, receive).encode())
    }

    fn publishes(&mut self) -> Ready {
        self.published += 1;
        let mut frame = PublishFrame::new(ClientSequence(self.published));
        frame.push(b"hola");
        self.says(b"publisher", &frame.finish())
    }

    /// One thing happens, and a round follows.
    fn step(&mut self, input: Input<'_>) -> Ready {
        let now = Now::default();
        self.machine.step(now, input);
        let writes = self.machine.writes(now);
        self.machine.step(now, Input::Committed(writes.index));
        let ready = self.machine.ready(now);
        for outgoing in &ready.sends {
            let frame = &outgoing.frames.bytes()[outgoing.frames.place(outgoing.range.start)];
            for to in outgoing.to.iter().filter(|_| frame[2] == 0x10) {
                *self.frames.entry(to.id.to_vec()).or_default() += 1;
            }
        }
        ready
    }

    fn most_frames(&self) -> u64 {
        self.frames.values().max().copied().unwrap_or_default()
    }
}

fn name(at: usize) -> Vec<u8> {
    format!("{at}").into_bytes()
}

#[test]
fn those_who_join_cost_the_others_a_frame_a_round_and_not_a_frame_a_join() {
    let mut stage = Stage::new();
    let mut awaited = 0;
    for at in 0..4 * CROWD {
        // What has left is heard of after a while.
        let is_due = at % CROWD == CROWD - 1;
        awaited += u64::from(stage.joins(&name(at), true).is_crowded);
        if is_due && awaited > 0 {
            awaited += u64::from(stage.step(Input::Left).is_crowded);
        }
    }
    let few = CROWD as u64 + 10;
    assert!(awaited >= 3, "{awaited}");
    assert!(stage.most_frames() <= few, "{}", stage.most_frames());
}

#[test]
fn what_comes_meanwhile_is_one_frame_for_all() {
    let mut stage = Stage::new();
    stage.joins(b"publisher", false);
    for at in 0..CROWD {
        stage.joins(&name(at), true);
    }
    stage.step(Input::Left);
    let mut last = stage.machine.next_order().0;
    for at in 0..CROWD {
        stage.says(&name(at), &ack(OrderNumber(last - 1)));
    }
    stage.frames.clear();
    assert!(stage.publishes().is_crowded);
    assert_eq!(stage.most_frames(), 1);
    for _ in 0..20 {
        let ready = stage.publishes();
        assert!(!ready.is_crowded);
        assert!(!ready.sends.is_empty(), "it is confirmed all the same");
    }
    assert_eq!(stage.most_frames(), 1);
    assert!(stage.step(Input::Left).is_crowded);
    assert_eq!(stage.most_frames(), 2, "twenty messages in one frame");
    last = stage.machine.next_order().0;
    for at in 0..CROWD {
        let id = name(at);
        let told = stage
            .machine
            .status()
            .find(|member| *member.name.as_bytes() == id[..]);
        assert_eq!(told.map(|member| member.next), Some(OrderNumber(last)));
    }
}
