//! The real log, whose commits take simulated time, and beside which the process may be killed.

use std::sync::{Arc, Mutex, MutexGuard};

use orden::core::{Index, Write};
use orden::store::{Error, Failure, Log, LogReader, Room};
use orden::wire::{LogId, OrderNumber};

use crate::simulation::counters::Sometimes;
use crate::simulation::dice::Dice;

/// What the commit loop has, and the simulation looks into.
#[derive(Clone)]
pub(crate) struct SlowLog(Arc<Mutex<State>>);

#[expect(clippy::struct_excessive_bools, reason = "they are independent")]
struct State {
    inner: Option<Box<dyn Log>>,
    dice: Dice,
    crash_point_per_mille: u64,
    /// Where the process was killed.
    killed: Option<Sometimes>,
    appended: Index,
    committed: Index,
    /// What the commit that runs covers.
    committing: Option<Index>,
    /// Whether it runs beside the order, which goes on meanwhile.
    is_beside: bool,
    /// Whether a commit has begun that nobody was told of yet.
    has_begun: bool,
    /// Whether another one was asked for meanwhile.
    again: bool,
    rolls: u64,
    /// Whether the next write begins a group.
    is_first_of_group: bool,
}

impl SlowLog {
    pub(crate) fn new(inner: Box<dyn Log>, dice: Dice, crash_point_per_mille: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            inner: Some(inner),
            dice,
            crash_point_per_mille,
            killed: None,
            appended: Index::default(),
            committed: Index::default(),
            committing: None,
            is_beside: false,
            has_begun: false,
            again: false,
            rolls: 0,
            is_first_of_group: true,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Where the process was killed within the log, if it was.
    pub(crate) fn take_killed(&self) -> Option<Sometimes> {
        self.state().killed.take()
    }

    /// Whether a commit has begun since the last time.
    pub(crate) fn take_begun(&self) -> bool {
        std::mem::take(&mut self.state().has_begun)
    }

    /// Whether a commit runs that the order waits for.
    pub(crate) fn is_committing(&self) -> bool {
        let state = self.state();
        state.committing.is_some() && !state.is_beside
    }

    /// How often the log has rolled since the last time.
    pub(crate) fn take_rolls(&self) -> u64 {
        std::mem::take(&mut self.state().rolls)
    }

    /// The commit that runs has taken its time.
    pub(crate) fn finish_commit(&self) -> Result<(), Error> {
        let mut state = self.state();
        let Some(index) = state.committing.take() else {
            return Ok(());
        };
        state.crash_point(Sometimes::CrashBetweenWriteAndSync)?;
        state.inner().commit()?;
        state.crash_point(Sometimes::CrashBetweenSyncAndSend)?;
        state.committed = state.committed.max(index);
        if std::mem::take(&mut state.again) {
            state.begin_commit();
        }
        Ok(())
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        self.state().crash_point_per_mille = 0;
    }
}

impl State {
    fn inner(&mut self) -> &mut Box<dyn Log> {
        self.inner.as_mut().expect("it is not closed")
    }

    fn crash_point(&mut self, place: Sometimes) -> Result<(), Error> {
        if self.dice.chance(self.crash_point_per_mille) {
            self.killed = Some(place);
            return Err(Error::Ended);
        }
        Ok(())
    }

    fn begin_commit(&mut self) {
        self.committing = Some(self.appended);
        self.has_begun = true;
    }

    fn ask(&mut self, is_beside: bool) {
        self.is_first_of_group = true;
        self.is_beside = is_beside;
        if self.committing.is_some() {
            self.again = true;
        } else {
            self.begin_commit();
        }
    }
}

impl Log for SlowLog {
    fn log_id(&self) -> LogId {
        self.state().inner().log_id()
    }

    fn append(&mut self, index: Index, write: &Write) -> Result<(), Failure> {
        let mut state = self.state();
        let place = if std::mem::take(&mut state.is_first_of_group) {
            Sometimes::CrashBeforeWrite
        } else {
            Sometimes::CrashAmidWrites
        };
        state.crash_point(place)?;
        state.inner().append(index, write)?;
        state.appended = index;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        self.state().ask(false);
        Ok(())
    }

    fn begin_commit(&mut self) -> Result<(), Error> {
        self.state().ask(true);
        Ok(())
    }

    fn committed(&self) -> Index {
        self.state().committed
    }

    fn expose(&mut self) -> Result<(), Error> {
        self.state().inner().expose()
    }

    fn make_room(
        &mut self,
        wanted: usize,
        checkpoint: &mut dyn FnMut() -> Vec<u8>,
    ) -> Result<Room, Error> {
        let mut state = self.state();
        state.is_first_of_group = true;
        let mut has_rolled = false;
        let room = state.inner().make_room(wanted, &mut || {
            has_rolled = true;
            checkpoint()
        })?;
        if has_rolled {
            state.rolls += 1;
            // Rolling makes everything safe that was appended.
            state.committed = state.inner().committed();
            for _ in 0..10 {
                state.crash_point(Sometimes::CrashAroundRoll)?;
            }
        }
        Ok(room)
    }

    fn let_go(&mut self, needed: &mut dyn FnMut() -> OrderNumber) {
        self.state().inner().let_go(needed);
    }

    fn oldest(&self) -> OrderNumber {
        self.state().inner().oldest()
    }

    fn reader(&self) -> Box<dyn LogReader> {
        self.state().inner().reader()
    }

    fn close(self: Box<Self>) -> Result<(), Error> {
        let inner = self.state().inner.take();
        inner.expect("it is closed once").close()
    }
}
