//! One broker among several: its own records, until they have come back, and everybody's, in
//! their order. Both know the stream by positions only, and count on nothing that it answers.

mod follower;
mod nobody;
mod scribe;
mod state;

pub use follower::{Fetch, Follower};
pub use nobody::found;
pub use scribe::{Append, Scribe};
pub use state::{Assembly, State, digest, part, seed};
