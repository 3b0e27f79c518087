//! The broker as a program: real processes, real sockets, ports that the system chooses.
//!
//! What the machine decides is specified in scenarios of its own; here it is whether all of it
//! arrives.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod acknowledging;
mod bad_input;
mod behind;
mod fairness;
mod joining;
mod log_tools;
mod many;
mod notified;
mod plain_tcp;
mod restarting;
mod settings;
mod starting;
mod stopping;
mod streams;
