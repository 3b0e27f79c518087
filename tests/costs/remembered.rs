//! The memory that a publisher makes the broker hold, so that a repeated message is known again:
//! a digest for each of its newest messages, and where each run of them stands in the order.

use allocation_counter::measure;
use orden::core::Limits;
use orden::wire::sessions::SequenceRun;

use crate::stage::Stage;

const WINDOW: u32 = 1024;
const PUBLISHERS: usize = 20;

/// Bytes that are held after each of the publishers has had so many messages ordered, in turn.
fn held_after(messages: u32) -> usize {
    let limits = Limits {
        publish_window: WINDOW,
        tail_bytes: 1,
        ..Limits::default()
    };
    let mut stage = Stage::new(0, limits);
    let held = measure(|| {
        stage.publish_in_turn(PUBLISHERS, messages);
    });
    usize::try_from(held.bytes_current).unwrap()
}

#[test]
fn what_is_remembered_of_a_publisher_is_a_window() {
    let each = (size_of::<SequenceRun>() + size_of::<u32>()) * WINDOW as usize;
    let full = held_after(2 * WINDOW);
    let later = held_after(4 * WINDOW);
    let most = PUBLISHERS * each;
    // Whatever else the machine and the log hold does not grow with the publishers' messages.
    let other = held_after(2) + 64 * 1024;
    assert!(full <= most + other, "{full} bytes of {most} and {other}");
    assert!(
        full >= most,
        "{full} bytes of {most}: it is not all remembered"
    );
    assert!(later <= full + 64 * 1024, "{full} bytes, later {later}");
}
