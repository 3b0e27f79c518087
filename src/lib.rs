//! orden gives every message one number, and every client every message, in that one order.
//!
//! # Layers
//!
//! Imports go down only, and never in a circle; `tests/tidy` checks it.
//!
//! ```text
//!  bin/     orden-broker · orden-client · orden-bench    parse, run, print, exit code
//!  src/     web/                                         the order over HTTP, above the broker
//!           admin/                                      looking at a broker, the control socket
//!           broker/   |   client/                        threads, sockets, clocks: the shells
//!           net/                                         what both need: the ZeroMQ edge, keys
//!           store/   |   stream/                         the log | the order of several brokers
//!           core/                                        the machines: they decide, and do nothing
//!           wire/                                        bytes <-> messages, one file a dialect
//!           display/                                     how messages and names are shown
//! ```
//!
//! * [`display`] shows messages and names as text and JSON that can do no harm.
//! * [`wire`] turns what peers sent into messages and back, and never panics.
//! * [`core`] holds two pure state machines, the broker's and the client's. They have no socket,
//!   thread, clock, file or randomness of their own: `step(now, input)`, then `ready()`, then
//!   `deadline()`.
//! * [`store`] is the log: append, sync, read. A client that is slow or away costs a cursor in it.
//! * [`stream`] is the replicated stream that holds the order of several brokers.
//! * [`net`] is what both shells need of the system, from sockets to key files.
//! * [`admin`] looks at a running broker, and tells it what its operator wants.
//! * `web` shows the order to people and machines that speak HTTP; a feature, on by default.
//! * [`broker`] and [`client`] give the machines their threads, sockets and clocks, and do not
//!   know each other.
//!
//! # The path of a message
//!
//! ```text
//!  DEALER ──► ROUTER ─ dispatcher ─[inbound, bounded]─► sequencer ─ step ─► machine
//!                        ▲                                 │ ready: 1. append ─► log, synced
//!                        └──[outbound, bounded + waker]────┴─       2. send, only after 1
//! ```
//!
//! The dispatcher owns the ROUTER and decides only which peers may connect; the sequencer owns
//! machine and log, and touches no socket. A message is durable before any client sees it or hears
//! that it was taken: otherwise a client could act on message 17, and a restarted broker give 17 to
//! another.

pub mod admin;
pub mod broker;
pub mod client;
pub mod commit;
pub mod core;
pub mod display;
pub mod net;
pub mod store;
pub mod stream;
#[cfg(feature = "http")]
pub mod web;
pub mod wire;

pub use client::Client;
