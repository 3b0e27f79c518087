//! Which libzmq this program was linked with, and whether that one is fit to serve.

use std::fmt;

/// The oldest libzmq that serves. Without the patch in Cargo.toml, as when a registry's copy of
/// this package is built, 4.3.4 without encryption would be linked.
const OLDEST: (i32, i32, i32) = (4, 3, 5);

/// The libzmq that this program has in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Libzmq {
    version: (i32, i32, i32),
    curve: bool,
}

impl Libzmq {
    /// What libzmq says of itself.
    pub fn linked() -> Self {
        Self {
            version: zmq::version(),
            curve: zmq::has("curve") == Some(true),
        }
    }

    /// Its version, as in "4.3.5".
    pub fn version(self) -> String {
        let (major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }

    /// Whether it is at least 4.3.5 and can encrypt.
    pub fn is_fit(self) -> bool {
        self.version >= OLDEST && self.curve
    }
}

impl fmt::Display for Libzmq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = if self.curve { "with" } else { "without" };
        write!(f, "libzmq {} {with} CURVE", self.version())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_would_build_is_not_fit() {
        let libzmq = |version, curve| Libzmq { version, curve };
        assert!(Libzmq::linked().is_fit());
        assert!(libzmq((4, 4, 0), true).is_fit());
        assert!(!libzmq((4, 3, 4), true).is_fit());
        let plain = libzmq((4, 3, 5), false);
        assert!(!plain.is_fit());
        assert_eq!(plain.to_string(), "libzmq 4.3.5 without CURVE");
    }
}
