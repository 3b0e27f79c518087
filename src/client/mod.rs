//! The client's shell: a DEALER, a clock and a thread around the participant's machine.
//!
//! [`connection`] is a participant that its owner drives, for programs with a loop of their own.

pub mod connection;

mod clock;
mod deliveries;
mod transport;

pub use clock::Clock;
pub use connection::Connection;
pub use deliveries::{Deliveries, NewRecords};
pub use transport::{Context, TransportError};
