//! Several real brokers that share one order over three real NATS servers, and what befalls them.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod brokers;
mod replay;
