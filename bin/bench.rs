//! `orden-bench`: publishers and subscribers that measure and check every message.

#[path = "bench/mod.rs"]
mod bench;
#[path = "command_line.rs"]
mod command_line;

fn main() -> std::process::ExitCode {
    bench::main()
}
