//! Worlds of several brokers that share one order over a simulated stream: the real machine,
//! commit loop and log of each, on a disk that outlives its processes. One seed is one run.

mod client;
mod engine;
mod evil;
mod happen;
mod judge;
mod process;
mod traffic;
mod trouble;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use orden::core::{Limits, Now, Time, replica};
use orden::store::{Identity, Options};
use orden::stream::StreamEvent;
use orden::wire::LogId;
use orden::wire::stream_record::Founding;

use self::client::Client;
use self::engine::{Engine, Fate};
pub use self::evil::run_evil;
use self::process::{Broker, Process};
use crate::random::Random;
use crate::words::founding;

const IDENTITY: Identity = Identity {
    log_id: LogId(0xC0FF_EE00),
    secret: 0x5EC2_E700,
};
const WALL: u64 = 1_700_000_000_000_000;
/// Trouble lasts so long, and everything comes right within so long after it.
const TROUBLE: u64 = 25_000_000;
const PATIENCE: u64 = 600_000_000;
const HAPPENINGS: u64 = 2_000_000;

/// How often something has happened, by its name.
pub type Sometimes = BTreeMap<&'static str, u64>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Starts(usize),
    Wakes(usize, u64),
    Appends {
        broker: usize,
        process: u64,
        tag: u64,
        record: Vec<u8>,
        fate: Fate,
    },
    Hears(usize, u64, usize),
    Fetches(usize, u64, u64, u32),
    ReadsAgain(usize, u64, u64),
    Purges(u64),
    Looks(usize),
    ToBroker(usize, u64, usize, u64, Vec<u8>),
    ToClient(usize, u64, Vec<u8>),
    Trouble,
    Leader(bool),
    Continues(usize),
    Joined(usize),
    Released,
    HasRoom,
    TellsExtent,
}

struct World {
    now: u64,
    added: u64,
    queue: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    dice: Random,
    engine: Engine,
    brokers: Vec<Broker>,
    clients: Vec<Client>,
    /// Events on their way to a broker.
    mail: Vec<Option<StreamEvent>>,
    limits: Limits,
    options: Options,
    /// What the stream keeps at least.
    keep_bytes: Option<u64>,
    has_healed: bool,
    /// The engine breaks its word once.
    is_evil: bool,
    sometimes: Sometimes,
}

/// Runs the world of a seed, and says what has happened how often.
///
/// # Panics
/// If a promise is broken.
#[must_use]
pub fn run(seed: u64) -> Sometimes {
    let mut world = World::new(seed);
    world.begin();
    world.run_until(TROUBLE, false);
    world.heal();
    let end = world.now + PATIENCE;
    world.run_until(end, true);
    world.judge();
    world.sometimes
}

impl World {
    fn begin(&mut self) {
        for broker in 0..self.brokers.len() {
            self.later(0, 500_000, Happening::Starts(broker));
        }
        for client in 0..self.clients.len() {
            self.later(0, 1_000_000, Happening::Looks(client));
        }
        self.later(500_000, 4_000_000, Happening::Trouble);
        self.at(1_000_000, Happening::TellsExtent);
    }

    fn new(seed: u64) -> Self {
        let mut dice = Random::new(seed);
        let mishaps = [0, 20, 200][dice.index(3)];
        let mut engine = Engine::new(dice.next(), mishaps);
        engine.records.push(replica::found(&Founding {
            secret: IDENTITY.secret,
            snapshot_bytes: [800, 4_000, 1 << 20][dice.index(3)],
            ..founding(IDENTITY.log_id)
        }));
        let brokers = (0..=dice.below(3)).map(|_| Broker::new());
        let brokers = brokers.collect();
        let count = 1 + dice.below(4);
        let clients = (0..count).map(|number| {
            let most = [30, 200][dice.index(2)];
            let says = 5 + dice.below(most);
            Client::new(format!("client-{number}"), says, dice.next())
        });
        let clients = clients.collect();
        Self {
            now: 0,
            added: 0,
            queue: BinaryHeap::new(),
            engine,
            brokers,
            clients,
            mail: Vec::new(),
            limits: Limits {
                message_bytes: 4096,
                publish_window: 100,
                members: 100,
                batch_bytes: [1, 400, 100_000][dice.index(3)],
                second_append_bytes: [1, 300, 256 << 10][dice.index(3)],
                tail_bytes: [600, 1 << 20][dice.index(2)],
                ping_after: std::time::Duration::from_secs(2),
                away_after: std::time::Duration::from_secs(6),
                ..Limits::default()
            },
            options: Options {
                segment_bytes: [16_384, 65_536][dice.index(2)],
                positions: true,
                ..Options::new("simulated")
            },
            keep_bytes: [Some(0), Some(4_000), None][dice.index(3)],
            dice,
            has_healed: false,
            is_evil: false,
            sometimes: Sometimes::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.sometimes.entry(what).or_default() += 1;
    }

    fn at(&mut self, at: u64, happening: Happening) {
        self.added += 1;
        let at = at.max(self.now);
        self.queue.push(Reverse((at, self.added, happening)));
    }

    fn later(&mut self, least: u64, most: u64, happening: Happening) {
        let at = self.now + least + self.dice.below(most - least + 1);
        self.at(at, happening);
    }

    fn moment(&self) -> Now {
        Now {
            time: Time(self.now),
            wall: WALL + self.now,
        }
    }

    fn run_until(&mut self, end: u64, until_settled: bool) {
        let mut happenings = 0;
        while let Some(Reverse((at, _, _))) = self.queue.peek() {
            if *at > end {
                assert!(
                    !until_settled,
                    "this world does not settle: {}",
                    self.describe()
                );
                self.now = end;
                return;
            }
            let Some(Reverse((at, _, happening))) = self.queue.pop() else {
                return;
            };
            self.now = at;
            happenings += 1;
            assert!(
                happenings < HAPPENINGS,
                "this never ends at {at}: {happening:?} {}",
                self.describe()
            );
            self.happen(happening);
            if until_settled && happenings % 64 == 0 && self.is_settled() {
                return;
            }
        }
    }

    fn describe(&self) -> String {
        let brokers = self.brokers.iter().map(|broker| {
            let process = broker.process.as_ref();
            let applied = process.map(|process| process.commits.machine().applied().0);
            let open = process.map(|process| process.commits.machine().is_open());
            let due = process.and_then(|process| process.commits.deadline());
            format!("broker at {applied:?} open {open:?} due {due:?}; ")
        });
        let clients = self.clients.iter().map(|client| {
            format!(
                "{} at {:?} unconfirmed {} of {} received {}; ",
                client.name,
                client.at,
                client.unconfirmed,
                client.says,
                client.received.len()
            )
        });
        let parts = brokers.chain(clients).collect::<String>();
        format!("stream at {}; {parts}", self.engine.records.len())
    }

    fn is_settled(&self) -> bool {
        let end = self.engine.records.len() as u64;
        let mut next = None;
        for broker in &self.brokers {
            let Some(process) = &broker.process else {
                return false;
            };
            let machine = process.commits.machine();
            if machine.applied().0.0 != end || !machine.is_open() {
                return false;
            }
            next = Some(machine.next_order().0);
        }
        self.clients.iter().all(|client| {
            let has = client
                .begin
                .map(|begin| begin + client.received.len() as u64);
            client.unconfirmed > client.says && has == next
        })
    }

    fn running(&mut self, broker: usize, process: u64) -> Option<&mut Process> {
        let running = self.brokers[broker].process.as_mut()?;
        (running.number == process).then_some(running)
    }

    fn tell_up(&mut self, broker: usize) {
        if let Some(number) = self.process_of(broker) {
            let event = self.engine.up();
            self.send_event(broker, number, event, 1_000);
        }
    }

    fn send_event(&mut self, broker: usize, process: u64, event: StreamEvent, within: u64) {
        self.mail.push(Some(event));
        let mail = self.mail.len() - 1;
        self.later(1, within, Happening::Hears(broker, process, mail));
    }
}

/// As libzmq makes routing ids up: later connections have higher numbers.
fn routing_id(client: usize, connection: u64) -> Vec<u8> {
    let number = (u32::try_from(connection).unwrap() << 8) | u32::try_from(client).unwrap();
    [&[0], &number.to_be_bytes()[..]].concat()
}

fn client_of(id: &[u8]) -> (usize, u64) {
    let number = u32::from_be_bytes(id[1..5].try_into().unwrap());
    ((number & 0xFF) as usize, u64::from(number >> 8))
}
