//! What one seed simulates: who takes part, how narrow the limits are, what goes wrong how often.
//!
//! Every seed switches each fault on or off by itself and draws its own limits (swarm testing,
//! Groce et al., ISSTA 2012): what is rare in a mixture of everything is common in some of them.

use std::time::Duration;

use orden::commit::Sync;
use orden::core::Limits;
use orden::core::participant;
use orden::store::{MemoryOptions, Options};

use crate::simulation::dice::Dice;

/// The most bytes of a native frame with more than one message.
pub(crate) const FRAME_BYTES: usize = 600;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) limits: Limits,
    pub(crate) client_limits: participant::Limits,
    pub(crate) log: Options,
    /// The log lies in memory only, and what it keeps there: such a broker is never killed.
    pub(crate) memory: Option<MemoryOptions>,
    pub(crate) natives: usize,
    pub(crate) fixed: usize,
    pub(crate) anonymous: usize,
    pub(crate) raw: usize,
    pub(crate) hostile: usize,
    /// How many messages each honest peer wants ordered.
    pub(crate) sends: usize,
    /// How long things go wrong.
    pub(crate) trouble: Duration,
    /// The time that a frame is under way.
    pub(crate) delay_micros: (u64, u64),
    /// The time that a sync takes.
    pub(crate) sync_micros: (u64, u64),
    /// When the broker's log is synced.
    pub(crate) sync: Sync,
    /// Whether the broker goes on while a sync runs.
    pub(crate) pipelined: bool,
    /// How often the broker asks for the log's next segment before that is ready.
    pub(crate) segment_asks: u32,
    /// Frames that may wait in a connection before it takes no more.
    pub(crate) pipe_frames: usize,
    pub(crate) faults: Faults,
}

/// How often things go wrong, by the mean time between two; `None`: never.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// A connection is cut.
    pub(crate) cut: Option<Duration>,
    /// Of the cuts, how many nobody notices, out of a thousand.
    pub(crate) silent_per_mille: u64,
    /// The broker is killed, at any moment.
    pub(crate) kill: Option<Duration>,
    /// The broker is killed at a place of its own choosing, out of a thousand passes.
    pub(crate) crash_point_per_mille: u64,
    /// Of the crashes, how many take the power with them, out of a thousand.
    pub(crate) power_per_mille: u64,
    /// A client's process is killed.
    pub(crate) client_crash: Option<Duration>,
    /// A client's process is stopped for a while.
    pub(crate) client_pause: Option<Duration>,
    /// A stopped client's place is taken by another process, and then it goes on.
    pub(crate) zombies: bool,
    /// A client leaves politely, or goes away for a while.
    pub(crate) goodbye: Option<Duration>,
    /// The disk is full for a while.
    pub(crate) disk_full: Option<Duration>,
    /// The disk fails an operation.
    pub(crate) disk_error: Option<Duration>,
    /// The wall's clock is set.
    pub(crate) clock_set: Option<Duration>,
    /// Frames take long for a while.
    pub(crate) clog: Option<Duration>,
    /// An operator ends a connection.
    pub(crate) kick: Option<Duration>,
    /// An operator ends a session.
    pub(crate) end: Option<Duration>,
    /// An operator takes the broker out of service.
    pub(crate) drain: Option<Duration>,
    /// A read of the log fails for want of something, out of a thousand.
    pub(crate) read_fails_per_mille: u64,
}

impl Plan {
    /// What this seed simulates.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let unstructured = dice.chance(60);
        let calm = dice.chance(120);
        let trouble = dice.millis(2_000, 12_000);
        let limits = limits(dice);
        let segment_bytes = dice.pick(&[8192, 16_384, 65_536]);
        let sync = sync(dice);
        let mut faults = if calm {
            Faults::default()
        } else {
            faults(dice)
        };
        if sync != Sync::Always {
            // What a power cut may take then nobody can say; `Broker::judge_deadline` asks what it
            // may not.
            faults.power_per_mille = 0;
            faults.disk_error = None;
        }
        Self {
            memory: None,
            client_limits: client_limits(dice),
            log: Options {
                segment_bytes,
                retain_bytes: dice.chance(150).then(|| segment_bytes * dice.between(1, 4)),
                ..Options::new("simulated")
            },
            limits,
            natives: dice.count(1, 4),
            fixed: dice.count(0, 3),
            anonymous: usize::from(dice.chance(200)),
            raw: dice.count(0, 2),
            hostile: if unstructured {
                3
            } else {
                usize::from(dice.chance(250))
            },
            sends: dice.count(3, 40),
            trouble,
            delay_micros: dice.pick(&[(50, 300), (50, 20_000), (1_000, 200_000)]),
            sync_micros: dice.pick(&[(0, 0), (50, 500), (500, 50_000)]),
            pipe_frames: dice.pick(&[4, 50, 2000]),
            sync,
            pipelined: dice.chance(300),
            segment_asks: dice.pick(&[0, 0, 1, 5]),
            faults,
        }
    }

    /// The same, for some seeds with a log in memory, or with so narrow bounds that a few members
    /// are a crowd and a few messages pace their publishers. What is drawn for that is drawn aside.
    pub(crate) fn vary(mut self, aside: &mut Dice) -> Self {
        self.limits.crowd = aside.pick(&[1, 3, 1_000]);
        if aside.chance(100) {
            self.memory = Some(MemoryOptions {
                retain_bytes: aside.pick(&[1, 2_000, u64::MAX]),
                behind_bytes: aside.pick(&[2_000, u64::MAX, u64::MAX]),
            });
            self.sync = Sync::Always;
            self.faults = Faults {
                kill: None,
                crash_point_per_mille: 0,
                disk_full: None,
                disk_error: None,
                drain: None,
                ..self.faults
            };
        }
        self.limits.pace_bytes = aside.pick(&[1, 300, 4 << 20, 4 << 20]);
        self.limits.pace_turn = aside.millis(1, 500);
        self.limits.pace_most = self.limits.pace_turn * 4;
        if self.memory.is_none() && self.sync == Sync::Always && aside.chance(200) {
            // Members that go away, politely, just before the power does.
            self.faults.goodbye = Some(aside.millis(200, 2_000));
            self.faults.crash_point_per_mille = 10;
            self.faults.power_per_mille = 1000;
        }
        self
    }

    /// Whether the log never lets go of a message.
    pub(crate) fn keeps_all(&self) -> bool {
        match self.memory {
            Some(memory) => memory.retain_bytes == u64::MAX,
            None => self.log.retain_bytes.is_none(),
        }
    }
}

fn sync(dice: &mut Dice) -> Sync {
    match dice.between(0, 7) {
        0 => Sync::Every(dice.millis(1, 1_000)),
        1 => Sync::Never,
        _ => Sync::Always,
    }
}

fn limits(dice: &mut Dice) -> Limits {
    let resend_after = dice.millis(50, 500);
    let ping_after = dice.millis(300, 3_000);
    Limits {
        message_bytes: dice.count(40, 600),
        publish_window: u32::try_from(dice.count(1, 60)).unwrap(),
        window_frames: dice.pick(&[1, 2, 3, 8, 30, 1000]),
        window_bytes: dice.pick(&[100, 1000, 100_000]),
        tail_bytes: dice.pick(&[1, 600, 3000, 1 << 20]),
        loaded_bytes: dice.pick(&[1, 2000, 1 << 20]),
        second_append_bytes: 256 << 10,
        batch_bytes: dice.pick(&[1, 400, 1000]),
        members: 100,
        name_bytes: 255,
        names_per_key: 64,
        catch_ups: dice.pick(&[1, 2, 64]),
        crowd: 1_000,
        pace_bytes: 4 << 20,
        pace_turn: Duration::from_millis(50),
        pace_most: Duration::from_millis(200),
        resend_after,
        resend_after_most: resend_after * 8,
        queue_lifetime: Duration::from_mins(1),
        floors_every: dice.millis(1, 1_000),
        ping_after,
        away_after: ping_after * 3,
        session_timeout: dice.chance(150).then(|| dice.millis(1_000, 8_000)),
        drawn_name_timeout: Limits::default().drawn_name_timeout,
    }
}

fn client_limits(dice: &mut Dice) -> participant::Limits {
    let publish_retry = dice.millis(100, 1_000);
    let ping_after = dice.millis(300, 3_000);
    participant::Limits {
        ack_bytes: dice.pick(&[1, 500, 1 << 20]),
        ack_frames: dice.pick(&[1, 4, 250]),
        ack_messages: dice.pick(&[1, 3, 1000]),
        ack_delay: dice.millis(0, 50),
        frame_bytes: dice.pick(&[1, 200, FRAME_BYTES]),
        frame_messages: dice.pick(&[1, 3, 1024]),
        unconfirmed_bytes: dice.pick(&[100, 16 << 20]),
        publish_retry,
        publish_retry_most: publish_retry * 8,
        no_space_retry: publish_retry,
        no_space_retry_most: publish_retry * 4,
        hello_least: dice.millis(0, 50),
        hello_retry: dice.millis(50, 500),
        hello_retry_most: Duration::from_secs(2),
        ping_after,
        stale_after: ping_after * 3,
        ..participant::Limits::default()
    }
}

fn faults(dice: &mut Dice) -> Faults {
    let mut sometimes = |per_mille, least, most| {
        let on = dice.chance(per_mille);
        let every = dice.millis(least, most);
        on.then_some(every)
    };
    Faults {
        cut: sometimes(600, 200, 4_000),
        kill: sometimes(500, 300, 5_000),
        client_crash: sometimes(500, 300, 5_000),
        client_pause: sometimes(300, 500, 5_000),
        goodbye: sometimes(500, 300, 5_000),
        disk_full: sometimes(200, 1_000, 5_000),
        disk_error: sometimes(150, 1_000, 8_000),
        clock_set: sometimes(200, 500, 5_000),
        clog: sometimes(200, 500, 5_000),
        kick: sometimes(200, 500, 5_000),
        end: sometimes(150, 1_000, 8_000),
        drain: sometimes(150, 1_000, 8_000),
        silent_per_mille: dice.pick(&[0, 300, 700]),
        crash_point_per_mille: dice.pick(&[0, 0, 5, 30]),
        power_per_mille: dice.pick(&[0, 500, 1000]),
        zombies: dice.chance(500),
        read_fails_per_mille: dice.pick(&[0, 0, 300]),
    }
}
