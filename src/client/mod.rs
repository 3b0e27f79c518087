//! The client's shell: a DEALER, a clock and a thread around the participant's machine.
//!
//! * [`Client`] is for applications: calls that wait, and a thread behind them.
//! * [`Connection`] is a participant that its owner drives, for programs with a loop of their
//!   own; [`connection`] draws that loop.

pub mod connection;

mod approach;
mod blocking;
mod deliveries;
mod delivery;
mod error;
mod options;
mod outbox;
mod place;
mod shared;
mod transport;
mod worker;

pub use blocking::Client;
pub use connection::Connection;
pub use deliveries::{Deliveries, NewRecords};
pub use delivery::Delivery;
pub use error::Error;
pub use options::{Observer, Options};
pub use transport::{Context, TransportError};

pub use crate::net::{Clock, KeyError, Keys};
