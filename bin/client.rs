//! `orden-client`: lines of standard input out, numbered deliveries in.

fn main() {}
