//! `orden-bench`: publishers and subscribers that measure and check every message.

#[path = "bench/mod.rs"]
mod bench;

fn main() -> std::process::ExitCode {
    bench::main()
}
