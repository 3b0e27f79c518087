//! What an operator needs of a running broker: to look at it, and to tell it what to do.
//!
//! ```text
//!  view       one look at everything          report    what a look shows, in words
//!  members    members, a page at a time
//!  control    the control socket's thread     request   what can be asked over it
//!  answering  what is answered                ask       the asking side
//! ```
//!
//! Nothing here is in a message's path, and the sequencer waits for none of it.

mod answering;
mod ask;
mod control;
mod control_limits;
mod members;
mod path;
pub mod report;
mod request;
mod view;

pub use answering::Reload;
pub use ask::{AskError, answers, ask};
pub use control::{CONNECTIONS, Control, Error};
pub use control_limits::{LINE_BYTES, MEMBERS_DEFAULT, MEMBERS_MOST, PATIENCE, PATIENCE_MOST};
pub use request::{BadRequest, Request};
pub use view::View;

/// The control socket's name in the data directory.
pub const SOCKET: &str = "control";
