//! Bytes to messages and back: one file a dialect, and the words that all of them share.
//!
//! Decoding is total. Any bytes give a value or a [`DecodeError`] that names what is wrong;
//! nothing here panics on what a peer sent, and no number is ever cut to fit.

pub mod batch;
pub mod binary;
pub mod json;
pub mod native;
pub mod position_mark;
pub mod raw;
pub mod record;
pub mod rendering;
pub mod reply;
pub mod sessions;
pub mod stream_record;

mod client_message;
mod cursor;
mod dialect;
mod error;
pub(crate) mod fields;
mod key;
mod name;
mod numbers;

pub use client_message::{Acked, ClientMessage};
pub use dialect::{Dialect, decode, dialect_of};
pub use error::DecodeError;
pub use key::{BadKey, PublicKey, SecretKey};
pub use name::{BadName, Name, SERVER_NAME};
pub use numbers::{ClientSequence, Epoch, LogId, OrderNumber, Position, Writer};
