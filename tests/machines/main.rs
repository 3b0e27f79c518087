//! Everything that needs no socket and no second process: the machines, the wire, the log on a
//! simulated disk, whole simulated worlds, and documents that have to agree with the code.
//!
//! `cargo test --test machines log::` runs one of the modules.

mod admission;
mod admission_among;
mod checker;
mod crowd;
mod documents;
mod failed_reads;
mod fuzz;
mod libzmq;
mod log;
mod memory;
mod participant;
mod protocol_document;
mod scenarios;
mod several;
mod simulation;
mod stream_records;
mod vectors;
mod wire_properties;
