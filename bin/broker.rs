//! `orden-broker`: parses flags, runs the broker, turns its end into an exit code.

fn main() {}
