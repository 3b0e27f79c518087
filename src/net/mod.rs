//! What the broker and the client both need of the system: the ZeroMQ edge, a socket that is
//! polled, a monitor, a waker, a clock, addresses and key files.

pub mod key_file;

mod address;
mod clock;
pub(crate) mod descriptors;
mod error;
mod keys;
pub(crate) mod libzmq;
mod linked;
pub(crate) mod monitor;
pub(crate) mod peer;
pub(crate) mod polled_socket;
pub(crate) mod received;
pub(crate) mod waker;

pub use address::{Address, BadAddress};
pub use clock::Clock;
pub use error::SocketError;
pub use keys::{
    KeyError, Keys, forbid_core_dumps, generate_keys, read_public_key, read_secret_key,
};
#[doc(hidden)] // for orden-bench, whose loop around a bare ROUTER shares frames as well
pub use libzmq::SharedFrame;
pub use linked::Libzmq;
