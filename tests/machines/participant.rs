//! Runs the scripts in `tests/participant/` against the client's machine: one behaviour a file.
//!
//! As in `scenarios.rs`: blocks of commands, `----`, and what then happens.
//! `UPDATE_EXPECT=1 cargo test --test machines participant::` rewrites them; read the diff as you
//! would code.
//! `tests/kit/src/scripts/participant/mod.rs` lists the commands.

orden_kit::scripts! {
    "tests/participant", orden_kit::scripts::participant::check:
    ack_at_the_latest
    ack_by_application
    ack_is_repeated
    another_log
    attempts
    busy_socket
    confirmations
    deliveries
    gap
    goodbye
    hello_is_repeated
    nonsense
    no_broker
    no_space
    older_copy
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
    several_brokers
    silence
    trimmed
    unknown_name
    unreachable
}
