//! Runs the scripts in `tests/participant/` against the client's machine: one behaviour a file.
//!
//! As in `scenarios.rs`: blocks of commands, `----`, and what then happens.
//! `UPDATE_EXPECT=1 cargo test --test participant` rewrites them; read the diff as you would code.
//! `tests/support/participant_script.rs` lists the commands.

#![expect(
    clippy::unwrap_used,
    reason = "a script that cannot be read fails its test"
)]

#[path = "support/blocks.rs"]
mod blocks;
#[path = "support/participant_scene.rs"]
mod participant_scene;
#[path = "support/participant_script.rs"]
mod participant_script;

blocks::scripts! {
    "tests/participant", participant_script::check:
    ack_at_the_latest
    ack_by_application
    ack_is_repeated
    another_log
    busy_socket
    confirmations
    deliveries
    gap
    goodbye
    hello_is_repeated
    nonsense
    no_space
    overlap
    ping
    publish_again_after_silence
    publish_frames
    publish_only
    publish_window
    reconnect
    resume_publishing
    sequence_gap
    session_ends
    silence
    trimmed
    unreachable
}
