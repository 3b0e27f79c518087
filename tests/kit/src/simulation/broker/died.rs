//! How a simulated broker's process comes to its end.

use orden::store::Error;

use crate::simulation::counters::Sometimes;

/// A process has come to its end, where it is said.
#[derive(Debug)]
pub(crate) enum Died {
    /// It was killed at a place that counts.
    Killed(Sometimes),
    /// The log has failed.
    Log(Error),
    /// It was told to go out of service, and has nothing left to do.
    Drained,
}

impl From<Error> for Died {
    fn from(error: Error) -> Self {
        Self::Log(error)
    }
}
