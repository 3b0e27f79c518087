//! Hands on where `libsodium-sys-stable` put what it built: Cargo tells build scripts only.

use std::env;

fn main() {
    for name in ["DEP_SODIUM_LIB", "DEP_SODIUM_INCLUDE"] {
        let place = env::var(name).expect("libsodium-sys-stable builds its own source");
        println!("cargo::rustc-env={name}={place}");
    }
}
