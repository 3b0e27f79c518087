//! `orden-bench`: publishers and subscribers that measure and check every message.

fn main() {}
