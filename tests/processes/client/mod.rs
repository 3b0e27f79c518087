//! The client against a real broker, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod blocking;
mod chat;
mod citizen;
mod connection;
mod encrypted;
mod import;
mod observing;
mod pipe;
mod program;
mod reach;
mod reconnect;
mod skipped;
mod stage;
mod terminal;
