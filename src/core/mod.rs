//! The machines: the broker's and the client's. They decide everything and do nothing.
//!
//! No sockets, threads, clocks, files or randomness of its own: time is an argument, bytes come
//! in and go out, and the same inputs give the same outputs.

mod chunk;
mod recovered;

pub use chunk::{Chunk, OpenBatch};
pub use recovered::Recovered;
