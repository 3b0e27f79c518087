//! The memory that a member can make the broker hold: its window, and one batch, as the last
//! that leaves may reach beyond it. `docs/performance.md` states the sum over all members.

use std::collections::HashMap;

use orden::core::Limits;

use crate::stage::Stage;

const MEMBERS: usize = 20;
const FRAMES: u64 = 200;
const MESSAGES: u64 = 100;

/// Publishes far more than the windows hold to members who acknowledge nothing; returns the
/// bytes and frames that left for each, and the bytes of the largest batch.
fn sent_without_ack(limits: &Limits, size: usize) -> (Vec<(usize, u64)>, usize) {
    let mut stage = Stage::new(MEMBERS, limits.clone());
    let mut sent: HashMap<_, (usize, u64)> = HashMap::new();
    let mut largest = 0;
    for _ in 0..FRAMES {
        let frame = stage.frame(MESSAGES, size);
        for outgoing in stage.publish(&frame) {
            let bytes = outgoing.frames.len_of(&outgoing.range);
            for route in outgoing.to {
                let (sum, frames) = sent.entry(route.id).or_default();
                *sum += bytes;
                *frames += outgoing.range.len() as u64;
            }
            largest = largest.max(bytes);
        }
    }
    (sent.into_values().collect(), largest)
}

#[test]
fn who_acknowledges_nothing_holds_a_window_and_a_batch() {
    for size in [0, 120, 2000] {
        let limits = Limits {
            window_bytes: 1 << 20,
            ..Limits::default()
        };
        let (sent, largest) = sent_without_ack(&limits, size);
        // The publisher gets its confirmations only.
        assert!(sent.len() >= MEMBERS, "{}", sent.len());
        let most = limits.window_bytes + largest;
        for (bytes, frames) in sent {
            assert!(bytes <= most, "{bytes} bytes of {most}, size {size}");
            assert!(
                frames <= limits.window_frames,
                "{frames} frames, size {size}"
            );
        }
    }
}

#[test]
fn frames_are_bounded_however_small_they_are() {
    let limits = Limits {
        window_frames: 50,
        ..Limits::default()
    };
    let (sent, _) = sent_without_ack(&limits, 0);
    // What says that somebody has joined takes a frame of some.
    let full = |frames: &&(usize, u64)| (48..=50).contains(&frames.1);
    assert_eq!(sent.iter().filter(full).count(), MEMBERS, "{sent:?}");
}
