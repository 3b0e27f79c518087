//! Runs the scripts in `tests/scenarios/` against the broker's machine: one behaviour a file.
//!
//! A script is blocks of commands, `----`, and what then happens. They are the specification of
//! the machine: what stands there was checked against the protocol, not taken over from a run.
//! `UPDATE_EXPECT=1 cargo test --test machines scenarios::` rewrites them; read the diff as you
//! would code.
//! `tests/kit/src/scripts/sequencer/mod.rs` lists the commands.

orden_kit::scripts! {
    "tests/scenarios", orden_kit::scripts::sequencer::check:
    ack_ahead_is_refused
    ack_is_cumulative
    ack_of_nobody
    away_over_restarts
    bad_input
    bad_native_input
    broker_crashes
    broker_restarts
    catch_up
    catch_up_at_the_end
    catch_up_slowly
    cut_for_tcp
    delimiter
    dialect_changes
    disk_full
    disk_full_join_leave
    drawn_names
    durable_before_seen
    four_dialects
    generated_identity
    goodbye_for_now
    join
    leave
    names_of_connections
    native_peer_gone
    native_resumes
    native_window
    observer
    operator_drains
    operator_ends
    operator_kicks
    payload_is_opaque
    peer_full
    peer_gone
    ping
    predecessor
    probe
    probe_of_a_port
    program_restarts
    progress_stops_resends
    publish_only
    publish_refused_half_way
    publish_twice
    publish_window
    raw_connection
    raw_glued
    resend
    resend_after_backoff
    resend_starts_slowly
    resend_was_not_needed
    sender_names
    sequence_gap
    sequence_reused
    session_timeout
    slow_client_pauses
    stopped_broker
    superseded
    too_large
    too_many_members
    torn_join
    trimmed
    where_to_begin
    window_in_bytes
}
