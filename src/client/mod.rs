//! The client's shell: a DEALER, a clock and a thread around the participant's machine.
//!
//! * [`Client`] is for applications: calls that wait, and a thread behind them.
//! * [`Connection`] is a participant that its owner drives, for programs with a loop of their
//!   own; [`connection`] draws that loop.

pub mod connection;

mod blocking;
mod clock;
mod deliveries;
mod delivery;
mod error;
mod keys;
mod options;
mod outbox;
mod shared;
mod transport;
mod waker;
mod worker;

pub use blocking::Client;
pub use clock::Clock;
pub use connection::Connection;
pub use deliveries::{Deliveries, NewRecords};
pub use delivery::Delivery;
pub use error::Error;
pub use keys::{BadKeys, Keys};
pub use options::{Observer, Options};
pub use transport::{Context, TransportError};
