//! A flood at one socket does not keep the other from being heard, nor one connection another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use orden_kit::clock::{now_us, since_ms};
use orden_kit::dealer::Dealer;
use orden_kit::plain::{Plain, text_of};
use orden_kit::programs::broker::Broker;

/// What a text may take from being sent to being ordered while others flood. Without a flood it is
/// a millisecond; on a busy machine a turn of the processor is some more.
const SOON_MS: u64 = 1_000;
/// What has been ordered of a flood when it is measured.
const RUN_UP: u64 = 2_000;
const PEERS: usize = 4;
const CANARIES: usize = 8;

/// Peers that say as much as they can, and never read.
struct Flood {
    over: Arc<AtomicBool>,
    peers: Vec<JoinHandle<()>>,
}

impl Flood {
    fn new(broker: &Broker, mut flood: impl FnMut(usize) -> Box<dyn FnMut() + Send>) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let start = |number| {
            let (over, mut say) = (Arc::clone(&over), flood(number));
            thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    say();
                }
            })
        };
        let peers = (0..PEERS).map(start).collect();
        broker.await_status("a flood", |status| status.next > RUN_UP);
        Self { over, peers }
    }

    fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        for peer in self.peers {
            peer.join().unwrap();
        }
    }
}

/// An ACK that no machine takes, and every machine counts.
const AHEAD: u64 = 1 << 60;

/// Lets an ACK be sent that is ahead of all messages, now and then; how many milliseconds passed
/// at most before the machine had counted it.
fn slowest_ms(broker: &Broker, mut send: impl FnMut()) -> u64 {
    let times = (0..CANARIES).map(|_| {
        let before = broker.status().refused("ack_ahead");
        let begun = now_us();
        send();
        broker.await_refused("ack_ahead", before + 1);
        since_ms(begun)
    });
    times.max().unwrap()
}

#[test]
fn plain_tcp_is_heard_beside_a_flood_of_frames() {
    let broker = Broker::in_memory(&["--tcp-address", ":0"]);
    let mut plain = Plain::connect(broker.tcp_address());
    plain.say("here");
    let endpoint = broker.endpoint().to_owned();
    let flood = Flood::new(&broker, |number| {
        let peer = Dealer::join(&endpoint, &format!("flood {number}"));
        let text = vec![b'x'; 1000];
        Box::new(move || peer.say_bytes(&text))
    });
    let slowest = slowest_ms(&broker, || plain.ack(AHEAD));
    flood.end();
    assert!(slowest < SOON_MS, "{slowest} ms");
}

#[test]
fn a_member_is_heard_beside_a_flood_of_plain_tcp_and_of_members() {
    let broker = Broker::in_memory(&["--tcp-address", ":0"]);
    let ana = Dealer::join(broker.endpoint(), "ana");
    let (endpoint, address) = (
        broker.endpoint().to_owned(),
        broker.tcp_address().to_owned(),
    );
    let flood = Flood::new(&broker, |number| {
        if number % 2 == 0 {
            let peer = Dealer::join(&endpoint, &format!("flood {number}"));
            let text = vec![b'x'; 1000];
            return Box::new(move || peer.say_bytes(&text));
        }
        let mut peer = Plain::connect(&address);
        let text = text_of(&"x".repeat(100)).repeat(50);
        Box::new(move || peer.send(&text))
    });
    let slowest = slowest_ms(&broker, || ana.ack(AHEAD));
    flood.end();
    assert!(slowest < SOON_MS, "{slowest} ms");
}
