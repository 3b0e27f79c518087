//! Writes of the log, and wake-ups of threads: what the system counts, in `/proc`. Sockets are
//! not among them: libzmq does not use `write` for those.

use std::fs;

use orden::core::Limits;
use serde_json::Value;

use crate::stage::Stage;

/// System calls so far that write, by this thread.
fn writes() -> u64 {
    let counters = fs::read_to_string("/proc/thread-self/io").unwrap();
    let line = counters
        .lines()
        .find_map(|line| line.strip_prefix("syscw: "));
    line.unwrap().trim().parse().unwrap()
}

#[test]
fn a_batch_is_one_write_and_one_mark() {
    let mut stage = Stage::new(8, Limits::default());
    stage.publish_some(10);
    for messages in [1, 10, 1000] {
        let frame = stage.frame(messages, 120);
        let before = writes();
        stage.publish(&frame);
        assert_eq!(writes() - before, 2, "{messages} messages");
    }
}

/// One for a message would be one at least; a slow machine only makes batches larger.
#[test]
fn a_message_under_load_wakes_nobody() {
    let data = tempfile::tempdir().unwrap();
    let mut command = orden_kit::programs::command("orden-bench");
    command.args(["--messages", "60000", "--format", "json", "--data"]);
    let output = command.arg(data.path()).output().unwrap();
    let figures: Value = serde_json::from_slice(&output.stdout).unwrap();
    let a_message = figures["broker_writes_per_message"].as_f64().unwrap();
    assert!(a_message > 0.0 && a_message < 0.5, "{figures}");
}
