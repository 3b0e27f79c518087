//! The machines: the broker's and the client's. They decide everything and do nothing.
//!
//! No sockets, threads, clocks, files or randomness of its own: time is an argument, bytes come
//! in and go out, and the same inputs give the same outputs.

#[cfg(not(feature = "mutants"))]
#[expect(unreachable_pub, reason = "tests reach it with the feature")]
mod mutant;
#[cfg(feature = "mutants")]
pub mod mutant;
pub mod order;
pub mod participant;
pub mod replica;
mod sequencer;
mod time;

pub(crate) use mutant::Mutant;
pub use order::{Chunk, MemberId, OpenBatch, Recovered, Write};
pub use sequencer::{
    Actions, Authority, Counters, Declined, Event, Frames, Grant, Grants, Halt, Index, Input,
    InputOf, Instruction, Limits, LoadError, MemberStatus, Outgoing, Packet, PacketOf, Proof,
    Ready, Reply, Route, Seed, Sequencer, StreamNews, Transport, Undelivered, Writes,
};
pub use time::{Now, Time};
