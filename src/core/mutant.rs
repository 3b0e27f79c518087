//! Mistakes made on purpose, one at a time, to see whether the tests would notice them.
//!
//! Without the feature `mutants` none of them lives: the question is the constant `false`, and
//! nothing is left of it. `docs/internals/testing.md` says who notices which.

macro_rules! mutants {
    ($($(#[$what:meta])+ $name:ident,)+) => {
        /// A mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $($(#[$what])+ $name,)+
        }

        impl Mutant {
            /// All of them.
            #[cfg(feature = "mutants")]
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

mutants! {
    /// M1: everybody is told before the sync, which never comes.
    TellBeforeSync,
    /// M2: what is sent is written one round later.
    SendBeforeWrite,
    /// M3: a restarted broker goes on with the first number of its newest segment.
    ReuseNumbers,
    /// M4: a restarted broker does not know what was published before.
    ForgetPublishers,
    /// M5: an ACK of what was not sent yet is believed.
    BelieveAckAhead,
    /// M6: a member that comes back is sent what follows the message that it waits for.
    ResumeTooFar,
    /// M7: a client takes what comes behind a gap.
    TakeBehindGap,
    /// M8: damage in the middle of the log is cut off like a torn tail.
    CutTheMiddle,
    /// M9: a sync that fails is taken for one that has not.
    SwallowSyncError,
    /// M10: a new segment's name is not synced.
    ForgetDirectorySync,
    /// M11: an ACK counts whoever's key it came with.
    AckWithAnyKey,
    /// M12: a message counts whoever's key it came with.
    PublishWithAnyKey,
    /// M13: a superseded connection still speaks for its session.
    HearTheSuperseded,
    /// M14: what is read for a member is not compared with its checksums.
    TrustWhatIsRead,
    /// M15: neither is what a start finds.
    TrustWhatIsFound,
    /// M16: the first message that a read brings from a TCP connection is ordered last.
    OrderLate,
    /// M17: an entry counts although a power cut has taken the notice that it was written before.
    CountTornEntries,
    /// M18: all segments but the newest are removed, whatever is to be kept.
    RemoveTooMuch,
    /// M19: what is lost on the way is not sent again.
    NeverSendAgain,
    /// M20: the snapshot in a new segment leaves out what was published.
    ForgetInSnapshot,
    /// M21: what was appended may be known before it is committed.
    TellBeforeCommit,
    /// M22: with `--sync MS`, what was appended is never committed in time.
    ForgetDeadlineSync,
    /// M23: the machine is not told what the log has let go of.
    ForgetOldest,
    /// M24: a commit is reported that the log has not made.
    ReportUncommitted,
    /// M25: a goodbye is answered, and the position that it stands for is not written.
    ForgetAtGoodbye,
    /// M26: a member whose connection an operator ends loses its session, too.
    KickForGood,
    /// M27: a broker that goes out of service waits for nobody.
    DrainAtOnce,
    /// M28: a broker that goes out of service still takes new members.
    JoinWhileDraining,
    /// M29: a record counts although one of its writer's before it is missing.
    CountBehindGap,
    /// M30: a record counts as often as it comes.
    CountTwice,
    /// M31: what is said from a seat counts although its member sits elsewhere meanwhile.
    HearOldSeats,
    /// M32: a record is applied where the engine says that it is, without reading it back.
    BelieveAcks,
    /// M33: a hello counts although a later one of the same process came before it.
    SeatOldAttempts,
    /// M34: applying looks at how much waits for this broker's own log.
    LimitInApply,
    /// M35: the state in the stream leaves out the brokers' writers.
    ForgetWriters,
    /// M36: what a record says of its writer's history is not compared.
    IgnoreChains,
    /// M37: the log says how far the stream is applied before it has what was applied.
    MarkTooEarly,
    /// M38: a broker counts as gone although it has spoken since that was proposed.
    GoneAnyway,
    /// M39: a record is not sent again once the engine has acknowledged it.
    StopAtAck,
    /// M40: a broker opens although its name belongs to a process that it has not seen.
    OpenAnyway,
    /// M41: a confirmation that waits for the members waits for ever.
    PaceForEver,
    /// M42: no confirmation waits for the members.
    PaceNobody,
}

#[cfg(not(feature = "mutants"))]
impl Mutant {
    /// Whether this mistake is being made: never.
    #[inline]
    #[expect(clippy::unused_self, reason = "it is asked with the feature only")]
    pub(crate) const fn lives(self) -> bool {
        false
    }
}

#[cfg(feature = "mutants")]
mod living {
    //! Which one lives, for each thread on its own: a simulated world is one thread.

    use std::cell::Cell;

    use super::Mutant;

    thread_local! {
        static LIVING: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    impl Mutant {
        /// Whether this mistake is being made.
        pub(crate) fn lives(self) -> bool {
            LIVING.get() == Some(self)
        }

        /// From now on this thread makes this mistake, and no other.
        pub fn let_live(mutant: Option<Self>) {
            LIVING.set(mutant);
        }
    }
}
