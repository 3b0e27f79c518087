//! Seeded worlds: the broker's machine and its log, the clients' machine, models of all other
//! peers, and everything that can go wrong between them. One seed is one run.

mod broker;
pub mod campaign;
pub mod counters;
mod dice;
mod direction;
mod faults;
mod flood;
mod network;
mod peers;
mod plan;
mod queue;
mod queued;
mod rot;
mod stage;
pub mod world;
