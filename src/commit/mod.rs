//! The commit loop: machine, log and policy. It keeps the order that the promise rests on (append,
//! commit, then let anybody know) and is run by the sequencer thread, the simulator and the tests
//! alike. It has no thread, channel or clock.
//!
//! ```text
//!  step ─► machine ─ writes ─► log.append ─► log.commit, as the policy says
//!                                                │
//!  what may be sent ◄─ ready ─ machine ◄─ Committed
//! ```

mod lateness;
mod policy;
mod sharing;
mod standing;
mod streaming;

use std::collections::VecDeque;
use std::time::Duration;

use crate::core::{Event, Index, Input, Mutant, Now, Ready, Sequencer, Time, Write, Writes};
use crate::store::{Error, Failure, Log};
use crate::wire::{Name, batch, record};

use self::lateness::{Due, Lateness};
use self::streaming::Streaming;

pub use policy::{BadSync, Sync};
pub use standing::{Obstacle, Standing};

/// How long to leave a log alone that has no room for what is to be appended.
const RETRY: Duration = Duration::from_millis(250);

/// See the module.
pub struct CommitLoop {
    machine: Sequencer,
    log: Box<dyn Log>,
    sync: Sync,
    /// What was given out and is not appended yet, as the log is short of something.
    unwritten: VecDeque<(Index, Write)>,
    retry_at: Option<Time>,
    /// The last group that was appended as a whole.
    appended: Index,
    /// The last group that the log was asked to commit: one that commits beside is not asked
    /// again.
    requested: Index,
    /// The last group that the machine was told of.
    told: Index,
    /// How long the log may wait, if the policy lets it.
    lateness: Lateness,
    /// Whether the machine knows how much room there is.
    is_measured: bool,
    /// Whether the log was short of something when it was asked last.
    is_short: bool,
    events: Vec<Event>,
    /// The stream, if several brokers share the order.
    streaming: Option<Streaming>,
}

impl CommitLoop {
    /// A machine on its log.
    ///
    /// # Panics
    /// If the machine goes on where another log ends.
    #[must_use]
    pub fn new(machine: Sequencer, log: Box<dyn Log>, sync: Sync) -> Self {
        assert_eq!(machine.log_id(), log.log_id(), "one order, one log");
        Self {
            machine,
            log,
            sync,
            unwritten: VecDeque::new(),
            retry_at: None,
            appended: Index::default(),
            requested: Index::default(),
            told: Index::default(),
            lateness: Lateness::default(),
            is_measured: false,
            is_short: false,
            events: Vec::new(),
            streaming: None,
        }
    }

    /// The machine, to look at.
    #[must_use]
    pub fn machine(&self) -> &Sequencer {
        &self.machine
    }

    /// The machine, to ask what has changed; it is stepped by [`step`](Self::step) only.
    pub fn machine_mut(&mut self) -> &mut Sequencer {
        &mut self.machine
    }

    /// The log, to look at.
    #[must_use]
    pub fn log(&self) -> &dyn Log {
        &*self.log
    }

    /// Takes one thing that has happened.
    ///
    /// # Errors
    /// Those of the log. What it holds is safe, and nobody was told of anything that it does not.
    pub fn step(&mut self, now: Now, input: Input<'_>) -> Result<(), Error> {
        if !std::mem::replace(&mut self.is_measured, true) {
            self.make_room()?;
        }
        self.machine.step(now, input);
        Ok(())
    }

    /// Whether a round is due before more is taken in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.machine.pending_bytes() >= self.machine.limits().batch_bytes
    }

    /// Makes what was decided as safe as the policy wants it, and says what may be done now.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn round(&mut self, now: Now) -> Result<Ready, Error> {
        self.step(now, Input::Tick)?;
        self.apply_records(now)?;
        let writes = self.machine.writes(now);
        self.append(now, writes)?;
        self.commit(now)?;
        self.tell(now)?;
        self.is_measured = false;
        let mut ready = self.machine.ready(now);
        ready.events.append(&mut self.events);
        self.drive_stream(now);
        Ok(ready)
    }

    /// Does what would hold up the next message: goes over to the log's next segment if that is
    /// due. To be called when what [`round`](Self::round) gave out is on its way.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn rest(&mut self) -> Result<(), Error> {
        if !self.is_measured {
            self.make_room()?;
            // What passes may have passed before the next message comes, and that one must not be
            // refused for it.
            self.is_measured = !self.is_short;
        }
        Ok(())
    }

    /// When a [`round`](Self::round) is due, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let sync = match self.sync {
            Sync::Every(period) => self.lateness.deadline(period),
            Sync::Always | Sync::Never => None,
        };
        let stream = self.stream_deadline();
        let own = sync.into_iter().chain(self.retry_at).chain(stream);
        self.machine.deadline().into_iter().chain(own).min()
    }

    /// Ends in good order: what the log does not have yet is written, and all of it committed.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn close(mut self, now: Now) -> Result<(), Error> {
        self.rest()?;
        let writes = self.machine.last_writes(now);
        self.append(now, writes)?;
        self.log.close()
    }

    fn append(&mut self, now: Now, writes: Writes) -> Result<(), Error> {
        let Writes { index, mut writes } = writes;
        let held = if Mutant::SendBeforeWrite.lives() {
            writes.split_off(writes.len().saturating_sub(1))
        } else {
            Vec::new()
        };
        let indexed = |write| (index, write);
        self.unwritten.extend(writes.into_iter().map(indexed));
        self.write_out(now)?;
        if Mutant::SendBeforeWrite.lives() {
            self.unwritten.extend(held.into_iter().map(indexed));
            self.appended = index;
        }
        Ok(())
    }

    /// Appends what waits to be, as far as the log takes it.
    fn write_out(&mut self, now: Now) -> Result<(), Error> {
        while let Some((index, write)) = self.unwritten.front() {
            match self.log.append(*index, write) {
                Ok(()) => {
                    let index = *index;
                    self.unwritten.pop_front();
                    if self.unwritten.front().is_none_or(|(next, _)| *next > index) {
                        self.appended = index;
                    }
                }
                Err(Failure::Passing(shortage)) => {
                    self.short_of(&shortage.to_string());
                    self.retry_at = Some(now.time + RETRY);
                    return Ok(());
                }
                Err(Failure::Final(error)) => return Err(error),
            }
        }
        self.retry_at = None;
        Ok(())
    }

    /// Commits what was appended, when the policy wants it.
    fn commit(&mut self, now: Now) -> Result<(), Error> {
        let committed = self.log.committed();
        let due = match self.sync {
            Sync::Always if committed.max(self.requested) < self.appended => {
                self.requested = self.appended;
                Due::Wait
            }
            Sync::Always | Sync::Never => Due::Nothing,
            Sync::Every(period) => {
                let due = (self.lateness).look(period, now.time, self.appended, committed);
                if Mutant::ForgetDeadlineSync.lives() {
                    self.lateness = Lateness::default();
                    return Ok(());
                }
                due
            }
        };
        match due {
            Due::Begin if !Mutant::ReportUncommitted.lives() => self.log.begin_commit(),
            Due::Wait if !Mutant::ReportUncommitted.lives() => self.log.commit(),
            Due::Begin | Due::Wait | Due::Nothing => Ok(()),
        }
    }

    /// Tells the machine what anybody may know of.
    fn tell(&mut self, now: Now) -> Result<(), Error> {
        let committed = self.log.committed();
        let mut knowable = match self.sync {
            Sync::Always => committed,
            // What was told too long ago is not safe yet.
            Sync::Every(_) if self.lateness.awaited() > Some(committed) => self.told,
            Sync::Every(_) | Sync::Never => self.appended,
        };
        let early = [
            Mutant::TellBeforeCommit,
            Mutant::ReportUncommitted,
            Mutant::SendBeforeWrite,
        ];
        if early.into_iter().any(Mutant::lives) {
            knowable = self.appended;
        }
        if knowable > self.told {
            if self.sync != Sync::Always {
                self.log.expose()?;
            }
            self.told = knowable;
            self.machine.step(now, Input::Committed(knowable));
        }
        Ok(())
    }

    fn make_room(&mut self) -> Result<(), Error> {
        if !self.unwritten.is_empty() {
            // A checkpoint would count what is not appended.
            self.machine.set_room(0);
            return Ok(());
        }
        let wanted = self.most_in_a_round();
        let machine = &self.machine;
        let room = self.log.make_room(wanted, &mut || machine.snapshot())?;
        match room.shortage {
            Some(shortage) => self.short_of(&shortage.to_string()),
            None if std::mem::take(&mut self.is_short) => self.events.push(Event::RoomAgain),
            None => {}
        }
        self.machine.set_room(room.bytes);
        let machine = &self.machine;
        self.log.let_go(&mut || machine.needed_from());
        if !Mutant::ForgetOldest.lives() {
            self.machine.set_oldest(self.log.oldest());
        }
        Ok(())
    }

    fn short_of(&mut self, what: &str) {
        if !std::mem::replace(&mut self.is_short, true) {
            self.events.push(Event::Short(what.to_owned()));
        }
    }

    /// Bytes that one round can add to the log: a batch, one message more, and some entries of
    /// sessions.
    fn most_in_a_round(&self) -> usize {
        let limits = self.machine.limits();
        let overhead = batch::HEADER_LEN + record::HEADER_LEN + Name::MAX_LEN;
        2 * limits.batch_bytes + limits.message_bytes + overhead
    }
}
