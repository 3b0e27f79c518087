//! How what lies in a connection's queue is counted.

use super::*;

const SIZE: usize = 100;

fn limits() -> Limits {
    Limits {
        window_bytes: 3 * SIZE,
        ..Limits::default()
    }
}

fn hand_over_all(queue: &mut SendQueue) -> u64 {
    let mut frames = 0;
    while queue.has_room(&limits()) {
        frames += 1;
        queue.hand_over(OrderNumber(frames), 1, SIZE, Time(0));
    }
    frames
}

#[test]
fn a_queue_holds_two_windows_however_often_sending_goes_back() {
    let mut queue = SendQueue::default();
    for window in [3, 3, 0, 0] {
        assert_eq!(hand_over_all(&mut queue), window);
        queue.go_back();
    }
    assert_eq!(queue.bytes, 6 * SIZE);
    queue.change_hands();
    assert!(!queue.has_room(&limits()), "another name, the same queue");
}

#[test]
fn small_frames_are_counted_as_well() {
    let limits = Limits {
        window_frames: 4,
        ..Limits::default()
    };
    let mut queue = SendQueue::default();
    queue.hand_over(OrderNumber(7), 7, SIZE, Time(0));
    queue.go_back();
    queue.hand_over(OrderNumber(1), 1, SIZE, Time(0));
    assert!(!queue.has_room(&limits), "two windows of frames");
    queue.acknowledge(OrderNumber(1), true);
    assert_eq!(queue.frames, 8, "it may have been the first of the seven");
    queue.hand_over(OrderNumber(8), 1, SIZE, Time(0));
    queue.acknowledge(OrderNumber(8), true);
    assert_eq!(queue.frames, 0);
    assert!(queue.has_room(&limits));
}

#[test]
fn an_ack_shows_what_has_left_the_queue() {
    let mut queue = SendQueue::default();
    hand_over_all(&mut queue);
    queue.go_back();
    hand_over_all(&mut queue);
    // The first copies have left; the others may still be queued, and nothing of them is in
    // flight.
    queue.acknowledge(OrderNumber(2), true);
    assert_eq!((queue.handed.len(), queue.fresh()), (4, 1));
    queue.acknowledge(OrderNumber(3), true);
    assert_eq!((queue.handed.len(), queue.fresh()), (3, 0));
    assert_eq!((queue.bytes, queue.fresh_bytes), (3 * SIZE, 0));
    // What comes after them shows that they were read.
    queue.hand_over(OrderNumber(4), 1, SIZE, Time(0));
    queue.acknowledge(OrderNumber(4), true);
    assert!(queue.is_empty());
    assert_eq!((queue.bytes, queue.frames, queue.fresh_bytes), (0, 0, 0));
}

#[test]
fn where_the_connection_may_be_another_an_ack_is_for_all_copies() {
    let mut queue = SendQueue::default();
    hand_over_all(&mut queue);
    queue.go_back();
    hand_over_all(&mut queue);
    queue.acknowledge(OrderNumber(2), false);
    assert_eq!((queue.handed.len(), queue.fresh()), (2, 1));
    queue.acknowledge(OrderNumber(3), false);
    assert!(queue.is_empty());
    assert_eq!((queue.bytes, queue.frames, queue.fresh_bytes), (0, 0, 0));
}

#[test]
fn a_slow_reader_holds_two_windows_whatever_it_acknowledges() {
    let mut queue = SendQueue::default();
    hand_over_all(&mut queue);
    queue.go_back();
    hand_over_all(&mut queue);
    // It has read the first window, and not one of the copies.
    queue.acknowledge(OrderNumber(3), true);
    let mut next = 3;
    while queue.has_room(&limits()) {
        next += 1;
        queue.hand_over(OrderNumber(next), 1, SIZE, Time(0));
    }
    assert_eq!((next, queue.bytes), (6, 6 * SIZE));
    queue.go_back();
    assert!(!queue.has_room(&limits()));
}

#[test]
fn a_frame_acknowledged_in_part_is_in_flight() {
    let mut queue = SendQueue::default();
    queue.hand_over(OrderNumber(10), 1, SIZE, Time(0));
    queue.acknowledge(OrderNumber(4), true);
    assert_eq!((queue.fresh(), queue.bytes), (1, SIZE));
    queue.acknowledge(OrderNumber(10), true);
    assert!(queue.is_empty());
}

#[test]
fn a_restart_is_believed_again_soon_only_from_who_reads() {
    let mut queue = SendQueue::default();
    let mut now = Time(1);
    let mut restart_after = |queue: &mut SendQueue, pause: Duration| {
        hand_over_all(queue);
        now = now + pause;
        queue.go_back();
        queue.restarted(now);
        queue.is_empty()
    };
    assert!(restart_after(&mut queue, Duration::ZERO));
    assert!(!restart_after(&mut queue, RESTART_EVERY));
    assert!(restart_after(&mut queue, SILENT_RESTART_EVERY));
    queue.hand_over(OrderNumber(1), 1, SIZE, Time(0));
    queue.acknowledge(OrderNumber(1), true);
    assert!(restart_after(&mut queue, RESTART_EVERY));
}

#[test]
fn an_ack_of_another_session_frees_nothing() {
    let mut queue = SendQueue::default();
    hand_over_all(&mut queue);
    queue.change_hands();
    queue.acknowledge(OrderNumber(9), true);
    assert_eq!(queue.handed.len(), 3);
    queue.hand_over(OrderNumber(9), 1, SIZE, Time(0));
    queue.acknowledge(OrderNumber(9), true);
    assert!(queue.is_empty(), "what came before it was read");
}

#[test]
fn a_frame_larger_than_the_window_is_sent_again_once() {
    let mut queue = SendQueue::default();
    for _ in 0..2 {
        assert!(queue.has_room(&limits()));
        queue.hand_over(OrderNumber(1), 1, 99 * SIZE, Time(0));
        queue.go_back();
    }
    assert!(!queue.has_room(&limits()));
}

#[test]
fn what_was_queued_long_ago_is_forgotten() {
    let mut queue = SendQueue::default();
    hand_over_all(&mut queue);
    queue.go_back();
    hand_over_all(&mut queue);
    let later = Time(0) + limits().queue_lifetime;
    queue.expire(later, &limits());
    assert!(queue.is_empty());
}
