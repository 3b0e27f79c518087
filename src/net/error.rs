//! What libzmq reports when it refuses a call.

/// libzmq has refused a call, such as setting an option. No peer's message leads to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("ZeroMQ: {0}")]
pub struct SocketError(#[from] zmq::Error);
