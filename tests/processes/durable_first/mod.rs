//! What is seen was synced: the whole broker, over real sockets, on a disk that can be held in
//! the middle of a sync. As long as it is held, nobody hears anything.
//!
//! And what a broker does on a disk that is full, and then is not any more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod full_disk;
mod held_disk;
mod starved;

use std::sync::Arc;
use std::time::Duration;

use orden::broker::{Broker, Config, ConnectionLimits, Storage, Sync};
use orden::client::{Client, Options};
use orden::core::Limits;
use orden::net::Address;
use orden::store::{self, medium::Medium};
use orden::wire::{ClientSequence, Dialect, Name};

use crate::durable_first::held_disk::HeldDisk;
use orden_kit::PATIENCE;
use orden_kit::dealer::Dealer;
use orden_kit::plain::Plain;

/// Far more than a message takes from one end to the other, if nothing holds it.
const A_WHILE: Duration = Duration::from_millis(300);
/// So much that no round needs another segment: its beginning would be held, too, and with it
/// what a test waits for.
const SEGMENT_BYTES: u64 = 8 << 20;

fn start(disk: &HeldDisk) -> Broker {
    let limits = Limits {
        message_bytes: 64 << 10,
        // Nothing is synced that a test does not wait for, as how far members are.
        floors_every: PATIENCE,
        ..Limits::default()
    };
    start_on(disk.medium(), SEGMENT_BYTES, &limits)
}

/// A broker with its log on this medium. What it sends again comes later than anybody looks.
fn start_on(medium: Arc<dyn Medium>, segment_bytes: u64, limits: &Limits) -> Broker {
    let options = store::Options {
        segment_bytes,
        ..store::Options::new("")
    };
    let config = Config {
        endpoint: "tcp://127.0.0.1:*".to_owned(),
        tcp_endpoint: Some("tcp://127.0.0.1:*".to_owned()),
        storage: Storage::Medium(medium, options),
        sync: Sync::Always,
        limits: Limits {
            resend_after: PATIENCE,
            resend_after_most: PATIENCE,
            ..limits.clone()
        },
        connections: ConnectionLimits::default(),
        security: None,
    };
    Broker::start(&config).unwrap()
}

/// Native, to publish and to be told; and one peer of each dialect that listens.
struct Peers {
    ana: Client,
    eva: Client,
    dealers: [Dealer; 2],
    plain: Plain,
}

impl Peers {
    fn join(broker: &Broker) -> Self {
        let address: Address = broker.endpoints()[0].parse().unwrap();
        let connect = |name: &str| {
            let name = Name::new(name.as_bytes()).unwrap();
            Client::connect(Options::new(address.clone(), name)).unwrap()
        };
        let dealers = [("binary", Dialect::Binary), ("json", Dialect::Json)];
        let dealers = dealers.map(|(name, dialect)| {
            let mut dealer = Dealer::connect(&broker.endpoints()[0], name);
            dealer.speak(dialect);
            dealer.say("here");
            assert_eq!(dealer.next().text(), format!("{name}: here"));
            dealer
        });
        let (ana, eva) = (connect("ana"), connect("eva"));
        let mut plain = Plain::connect(broker.endpoints()[1].strip_prefix("tcp://").unwrap());
        // Until it speaks, it is a member only after some seconds: others would be told meanwhile.
        plain.say("here over TCP");
        let mut peers = Self {
            ana,
            eva,
            dealers,
            plain,
        };
        while peers.eva.next_delivery(PATIENCE).unwrap().unwrap().message != b"here over TCP" {}
        peers.ana.publish("ready").unwrap();
        peers.hear("ready");
        peers
    }

    /// Everybody hears of this, and it is confirmed.
    fn hear(&mut self, text: &str) {
        self.ana.flush(PATIENCE).unwrap();
        for client in [&self.ana, &self.eva] {
            while client.next_delivery(PATIENCE).unwrap().unwrap().message != text.as_bytes() {}
        }
        let text = format!("ana: {text}");
        for dealer in &mut self.dealers {
            dealer.next_until(&text);
        }
        while self.plain.next(None).text() != text {}
    }

    /// Nobody hears anything for a while, and nothing more is confirmed.
    fn hear_nothing(&mut self, confirmed: ClientSequence) {
        assert_eq!(self.eva.next_delivery(A_WHILE).unwrap(), None);
        assert_eq!(self.ana.next_delivery(Duration::ZERO).unwrap(), None);
        assert_eq!(self.ana.confirmed(), confirmed);
        for dealer in &self.dealers {
            assert_eq!(dealer.hear_now(), None);
        }
        assert!(
            !self.plain.has_something(),
            "something comes over plain TCP"
        );
    }
}

#[test]
fn nothing_is_confirmed_or_delivered_before_it_is_synced() {
    let disk = HeldDisk::default();
    let broker = start(&disk);
    let mut peers = Peers::join(&broker);
    for number in 0..5 {
        let confirmed = peers.ana.confirmed();
        let text = format!("message {number}");
        disk.hold();
        peers.ana.publish(text.as_bytes()).unwrap();
        // The sync is the one for this message: that was written before.
        disk.await_sync_of(format!("ana{text}").as_bytes());
        peers.hear_nothing(confirmed);
        disk.release();
        peers.hear(&text);
        assert_eq!(peers.ana.confirmed(), ClientSequence(confirmed.0 + 1));
    }
    broker.stopper().stop();
    broker.wait().unwrap();
}

/// Who joins is told where it stands, and others are told that it has: as little before the sync.
#[test]
fn nobody_is_welcome_before_the_session_is_synced() {
    let disk = HeldDisk::default();
    let broker = start(&disk);
    let mut peers = Peers::join(&broker);
    disk.hold();
    let address: Address = broker.endpoints()[0].parse().unwrap();
    std::thread::scope(|scope| {
        let joins = scope
            .spawn(|| Client::connect(Options::new(address, Name::new(b"new").unwrap())).unwrap());
        disk.await_sync_of(b"new has joined the net");
        peers.hear_nothing(peers.ana.confirmed());
        assert!(!joins.is_finished(), "it is welcome already");
        disk.release();
        joins.join().unwrap();
    });
    let notice = peers.eva.next_delivery(PATIENCE).unwrap().unwrap();
    assert_eq!(notice.message, b"new has joined the net");
    broker.stopper().stop();
    broker.wait().unwrap();
}
