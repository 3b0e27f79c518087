//! The machines: the broker's and the client's. They decide everything and do nothing.
//!
//! No sockets, threads, clocks, files or randomness of its own: time is an argument, bytes come
//! in and go out, and the same inputs give the same outputs.

mod appends;
mod authority;
mod backlog;
mod chunk;
mod frames;
mod input;
mod limits;
mod members;
#[cfg(not(feature = "mutants"))]
#[expect(unreachable_pub, reason = "tests reach it with the feature")]
mod mutant;
#[cfg(feature = "mutants")]
pub mod mutant;
mod outbox;
pub mod participant;
mod publisher;
mod ready;
mod recovered;
mod route;
mod sequencer;
mod session;
mod status;
mod time;

pub use authority::{Actions, Authority, Grant, Grants};
pub use chunk::{Chunk, OpenBatch};
pub use input::{Input, LoadError, Packet, Proof, Undelivered};
pub use limits::Limits;
pub use members::SessionId;
pub(crate) use mutant::Mutant;
pub use ready::{Event, Frames, Outgoing, Ready, Write};
pub use recovered::Recovered;
pub use route::{Route, Transport};
pub use sequencer::Sequencer;
pub use status::{Counters, MemberStatus};
pub use time::{Now, Time};
