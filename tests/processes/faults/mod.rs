//! The real broker and real members, and what befalls them: each test lets faults happen, heals,
//! lets everybody finish, and has the histories judged. `docs/reliability.md` has the commands
//! and what came out.

mod crowd;
mod fixed;
mod leaving;
mod member;
mod nemesis;
mod network;
mod operators;
mod processes;
mod resources;
mod soak;
mod stage;
mod table;
mod workers;
