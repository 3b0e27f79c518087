//! What earlier versions have left, and what programs rely on: docs/promises.md and
//! tests/compatibility.

mod names;
mod replay;
mod session;

use std::path::PathBuf;

use orden_kit::root;

/// What is kept for this: recorded logs and sessions, lists of names.
fn kept(path: &str) -> PathBuf {
    root().join("tests/compatibility").join(path)
}

/// Whether this is to be written down anew.
fn is_updated(what: &str) -> bool {
    std::env::var_os("UPDATE_COMPATIBILITY").is_some_and(|asked| asked == what)
}
