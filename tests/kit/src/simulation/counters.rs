//! How often the rare things happened. A campaign in which one of them never did proves less than
//! it seems to: the test wants each of them.

use std::collections::BTreeMap;

macro_rules! sometimes {
    ($($name:ident,)*) => {
        /// Something that has to happen sometimes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sometimes {
            $($name,)*
        }

        impl Sometimes {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

sometimes! {
    CrashBeforeWrite,
    CrashAmidWrites,
    CrashBetweenWriteAndSync,
    CrashBetweenSyncAndSend,
    CrashAmidFanOut,
    CrashAfterFarewell,
    CrashAroundRoll,
    CrashInRecovery,
    BrokerKilled,
    PowerCut,
    TornTailRepaired,
    DiskErrorStoppedBroker,
    SegmentRolled,
    PublishKnownAndConfirmedAgain,
    ConnectionSuperseded,
    HelloTooLate,
    SpokeWithoutSession,
    MemberAway,
    AckAheadRefused,
    OldAckIgnored,
    SentAgain,
    PeerFull,
    PeerGone,
    ReadFromLog,
    CrowdAwaited,
    ConfirmationHeld,
    ReadFailed,
    Trimmed,
    NoSpaceForPublisher,
    JoinedLate,
    ResumedAtPosition,
    ResumedAtFloor,
    SessionTimedOut,
    LeftPolitely,
    WentAwayPolitely,
    EmptyPayload,
    LargestPayload,
    SequenceGapRefused,
    SequenceReuseRefused,
    MalformedRefused,
    RotRefused,
    RotFoundByReading,
    FrameLost,
    ClockSet,
    KickedByOperator,
    EndedByOperator,
    ToldOfDrain,
    Drained,
    DrainTookTooLong,
    JoinRefusedByDrain,
}

/// Counts, by what was counted.
#[derive(Clone, Debug, Default)]
pub struct Counters(BTreeMap<Sometimes, u64>);

impl Counters {
    /// It has happened.
    pub fn count(&mut self, what: Sometimes) {
        self.add(what, 1);
    }

    /// It has happened so many times.
    pub fn add(&mut self, what: Sometimes, times: u64) {
        *self.0.entry(what).or_default() += times;
    }

    /// What another run has counted.
    pub fn merge(&mut self, other: &Self) {
        for (&what, &times) in &other.0 {
            self.add(what, times);
        }
    }

    /// How often it has happened.
    pub fn of(&self, what: Sometimes) -> u64 {
        self.0.get(&what).copied().unwrap_or_default()
    }
}
