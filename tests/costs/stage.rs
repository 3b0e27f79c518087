//! The stage: the broker's machine and a log in files, driven without sockets or threads.

use orden::commit::{CommitLoop, Sync};
use orden::core::{Limits, Now, Outgoing, Seed, Sequencer};
use orden::store;
use orden::wire::native::{PublishFrame, ack};
use orden::wire::{ClientSequence, OrderNumber};
use orden_kit::words::{hello, packet};
use tempfile::TempDir;

/// Bytes of a message.
const SIZE: usize = 120;
const PUBLISHER: &[u8] = b"publisher";

/// A broker without sockets.
pub(crate) struct Stage {
    commits: CommitLoop,
    members: Vec<Vec<u8>>,
    published: u64,
    now: Now,
    _directory: TempDir,
}

impl Stage {
    /// With so many members, and one that only publishes.
    pub(crate) fn new(members: usize, limits: Limits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let opened = store::open(&store::Options::new(directory.path())).unwrap();
        let now = Now::default();
        let machine = Sequencer::new(now, limits, opened.recovered, Seed::default());
        let mut stage = Self {
            commits: CommitLoop::new(machine, opened.log, Sync::Always),
            members: (0..members)
                .map(|at| format!("{at}").into_bytes())
                .collect(),
            published: 0,
            now,
            _directory: directory,
        };
        stage.hello(PUBLISHER, false);
        for id in stage.members.clone() {
            stage.hello(&id, true);
        }
        stage.flush();
        stage
    }

    fn hello(&mut self, id: &[u8], receive: bool) {
        self.hear(id, &hello(id, receive).encode());
    }

    fn hear(&mut self, id: &[u8], body: &[u8]) {
        self.commits.step(self.now, packet(id, body)).unwrap();
    }

    /// The next frame of so many messages.
    pub(crate) fn frame(&mut self, messages: u64, size: usize) -> Vec<u8> {
        let mut frame = PublishFrame::new(ClientSequence(self.published + 1));
        for _ in 0..messages {
            frame.push(&vec![b'x'; size]);
        }
        self.published += messages;
        frame.finish()
    }

    /// Hears a publish frame, and does what follows from it, as the broker's sequencer thread does.
    pub(crate) fn publish(&mut self, frame: &[u8]) -> Vec<Outgoing> {
        self.hear(PUBLISHER, frame);
        self.flush()
    }

    /// So many others publish so many messages each, one after the other, one message at a time.
    pub(crate) fn publish_in_turn(&mut self, publishers: usize, messages: u32) {
        let names: Vec<_> = (0..publishers)
            .map(|at| format!("publisher {at}").into_bytes())
            .collect();
        for name in &names {
            self.hello(name, false);
        }
        for sequence in 1..=u64::from(messages) {
            let mut frame = PublishFrame::new(ClientSequence(sequence));
            frame.push(b"x");
            let frame = frame.finish();
            for name in &names {
                self.hear(name, &frame);
            }
            self.flush();
        }
    }

    /// Publishes so many messages of the usual size.
    pub(crate) fn publish_some(&mut self, messages: u64) -> Vec<Outgoing> {
        let frame = self.frame(messages, SIZE);
        self.publish(&frame)
    }

    fn flush(&mut self) -> Vec<Outgoing> {
        let sends = self.commits.round(self.now).unwrap().sends;
        self.commits.rest().unwrap();
        sends
    }

    /// What a member's ACK of everything is.
    pub(crate) fn ack(&self) -> Vec<u8> {
        ack(OrderNumber(self.commits.machine().next_order().0 - 1))
    }

    /// Every member acknowledges.
    pub(crate) fn all_say(&mut self, ack: &[u8]) {
        for at in 0..self.members.len() {
            let id = std::mem::take(&mut self.members[at]);
            self.hear(&id, ack);
            self.members[at] = id;
        }
        self.flush();
    }
}
