//! Allocations on the way from a publish frame to what is handed to the sockets, the log's write
//! and sync and the members' ACKs included.

use allocation_counter::measure;
use orden::core::Limits;

use crate::stage::Stage;

/// Batches until everything has grown to its size.
const WARM_UP: usize = 20;
const BATCHES: u64 = 20;

/// Allocations of a batch with so many messages to so many members, and bytes of them.
fn of_a_batch(messages: u64, members: usize) -> (u64, u64) {
    let mut stage = Stage::new(members, Limits::default());
    for _ in 0..WARM_UP {
        stage.publish_some(messages);
        let ack = stage.ack();
        stage.all_say(&ack);
    }
    let (mut count, mut bytes) = (0, 0);
    for _ in 0..BATCHES {
        let frame = stage.frame(messages, 120);
        let counted = measure(|| drop(stage.publish(&frame)));
        let ack = stage.ack();
        let acked = measure(|| stage.all_say(&ack));
        count += counted.count_total + acked.count_total;
        bytes += counted.bytes_total + acked.bytes_total;
    }
    (count.div_ceil(BATCHES), bytes / BATCHES)
}

#[test]
fn a_message_more_costs_no_allocation() {
    let (few, _) = of_a_batch(16, 8);
    let (many, _) = of_a_batch(1024, 8);
    // What grows with the batch grows by doubling.
    assert!(many <= few + 12, "{few} for 16 messages, {many} for 1024");
}

#[test]
fn a_member_more_costs_few_allocations_a_batch() {
    let (few, _) = of_a_batch(256, 8);
    let (many, _) = of_a_batch(256, 72);
    let a_member = (many - few).div_ceil(64);
    assert!(a_member <= 1, "{few} for 8 members, {many} for 72");
}

#[test]
fn a_delivery_costs_no_allocation() {
    let (count, _) = of_a_batch(256, 64);
    let deliveries = 256 * 64;
    assert!(
        count * 100 < deliveries,
        "{count} for {deliveries} deliveries"
    );
}

#[test]
fn a_payload_is_copied_once() {
    let (_, few) = of_a_batch(1024, 1);
    let (_, many) = of_a_batch(1024, 64);
    // Headers and names included, a record is some 165 bytes; growing doubles at most.
    let records = 1024 * 165;
    assert!(few < 3 * records, "{few} bytes for {records}");
    assert!(
        many < few + 64 * 1024,
        "{few} bytes for 1 member, {many} for 64"
    );
}
