//! A disk that is full for a while: as soon as the log can go on, nobody is refused any more.

use orden::broker::Broker;
use orden::core::Limits;

use crate::durable_first::{A_WHILE, start_on};
use orden_kit::clock::pause;
use orden_kit::dealer::Dealer;
use orden_kit::poll;
use orden_kit::simulated_disk::SimulatedDisk;

const SEGMENT_BYTES: usize = 256 << 10;
const MESSAGE_BYTES: usize = 16 << 10;

/// A broker that nothing but what is said to it wakes.
fn start(disk: &SimulatedDisk) -> Broker {
    let limits = Limits {
        message_bytes: MESSAGE_BYTES,
        batch_bytes: MESSAGE_BYTES,
        ..Limits::default()
    };
    start_on(disk.medium(), SEGMENT_BYTES as u64, &limits)
}

fn used(disk: &SimulatedDisk) -> usize {
    disk.files().values().map(|file| file.len()).sum()
}

/// Says something, and less and less of it, until the broker takes nothing any more.
fn fill(broker: &Broker, dealer: &Dealer) {
    let refused = || {
        let counters = broker.ack_map().status().counters;
        counters.refused.get("no_space").copied().unwrap_or(0)
    };
    for bytes in [MESSAGE_BYTES - 100, 1000, 1] {
        let before = refused();
        while refused() == before {
            let next = broker.ack_map().status().next;
            dealer.say(&"x".repeat(bytes));
            let heard = || refused() > before || broker.ack_map().status().next > next;
            poll(|| heard().then_some(()), "an end of what was said");
        }
    }
}

/// The binary dialect has no word for a refusal, so whoever speaks first after the disk has space
/// again must not be refused for what was before: it would wait for ever.
#[test]
fn who_speaks_first_when_there_is_space_again_is_heard() {
    let disk = SimulatedDisk::new();
    let broker = start(&disk);
    let filler = Dealer::join(&broker.endpoints()[0], "filler");
    disk.limit_space(Some(used(&disk)));
    fill(&broker, &filler);
    let full = used(&disk);
    disk.limit_space(None);
    // Neither the helper, which makes it, nor anybody else tells the broker.
    let is_made = || used(&disk) >= full + SEGMENT_BYTES;
    poll(|| is_made().then_some(()), "another segment");
    // It still has to be handed over, within the process.
    pause(A_WHILE);

    let mut late = Dealer::connect(&broker.endpoints()[0], "late");
    late.say("here");
    assert_eq!(late.next().text(), "late: here");
    broker.stopper().stop();
    broker.wait().unwrap();
}
