//! How messages and names are shown: one escaper, one text form, one JSON form.
//!
//! The client, `log dump` and log lines all print through this layer, so that no peer can forge a
//! line or rewrite a screen through one of them.

mod escaped;
mod message;
mod timestamp;

pub use escaped::Escaped;
pub use message::{Message, to_json};
pub use timestamp::Timestamp;
