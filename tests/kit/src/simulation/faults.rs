//! What goes wrong in a simulation, and when it goes wrong again.

use std::time::Duration;

use crate::simulation::dice::Dice;
use crate::simulation::plan;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A connection is cut.
    Cut,
    /// The broker is killed.
    Kill,
    /// A client's process is killed.
    ClientCrash,
    /// A client's process is stopped.
    ClientPause,
    /// A client says goodbye.
    Goodbye,
    /// The disk is full.
    DiskFull,
    /// The disk fails an operation.
    DiskError,
    /// The wall's clock is set.
    ClockSet,
    /// Frames take long.
    Clog,
    /// An operator ends a connection.
    Kick,
    /// An operator ends a session.
    End,
    /// An operator takes the broker out of service.
    Drain,
}

impl Fault {
    /// All of them.
    pub(crate) const ALL: [Self; 12] = [
        Self::Cut,
        Self::Kill,
        Self::ClientCrash,
        Self::ClientPause,
        Self::Goodbye,
        Self::DiskFull,
        Self::DiskError,
        Self::ClockSet,
        Self::Clog,
        Self::Kick,
        Self::End,
        Self::Drain,
    ];

    /// The time until it happens next; `None`: it never does in this plan.
    pub(crate) fn pause(self, faults: &plan::Faults, dice: &mut Dice) -> Option<Duration> {
        let mean = match self {
            Self::Cut => faults.cut,
            Self::Kill => faults.kill,
            Self::ClientCrash => faults.client_crash,
            Self::ClientPause => faults.client_pause,
            Self::Goodbye => faults.goodbye,
            Self::DiskFull => faults.disk_full,
            Self::DiskError => faults.disk_error,
            Self::ClockSet => faults.clock_set,
            Self::Clog => faults.clog,
            Self::Kick => faults.kick,
            Self::End => faults.end,
            Self::Drain => faults.drain,
        }?;
        let mean = u64::try_from(mean.as_micros()).unwrap();
        Some(Duration::from_micros(dice.between(0, 2 * mean)))
    }
}
