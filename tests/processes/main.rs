//! Real programs, real sockets, real files: the broker, its clients, and what befalls them.
//!
//! `cargo test --test processes end_to_end::` runs one of the modules.

mod among;
mod bench;
mod client;
mod compatibility;
mod control;
mod crash;
mod disk;
mod documents;
mod durable_first;
mod end_to_end;
mod faults;
mod hostile;
mod interop;
mod moving;
mod peers;
mod python;
mod security;
mod several;
mod stream;
mod web;
