//! Native members that live in one thread, and what can be done to them from outside: let them
//! stand still, drop them without a word, start them again, give their names to others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use orden::client::{Clock, Connection, Context, connection};
use orden::core::participant::Ending;
use orden::net::Address;
use orden::wire::reply::Code;

use crate::faults::member::{Member, Place, Plan};
use orden_kit::checker::file::Position;
use orden_kit::clock::{now_us, since_ms};

/// What is to become of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Running,
    /// It does nothing, but libzmq's thread still does.
    Paused,
    /// It is not there: its connection is dropped without a goodbye.
    Gone,
}

/// How long a member that was superseded waits before it comes back.
const COME_BACK_MS: u64 = 400;
const ROUND: Duration = Duration::from_millis(50);

/// Members in a thread of their own.
pub(crate) struct Crowd {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wanted: HashMap<String, Wanted>,
    positions: HashMap<String, Position>,
    superseded: u64,
    kicked: u64,
    /// Whose sessions have ended.
    over: Vec<String>,
    quiet: bool,
    closing: bool,
}

struct Seat {
    address: Address,
    plan: Plan,
    member: Option<Member>,
    superseded_at: Option<u64>,
    is_over: bool,
}

/// What a member has just lost.
enum Loss {
    /// Another connection has it.
    Name,
    /// An operator has ended it.
    Connection,
    /// The same, for good.
    Session,
}

impl Crowd {
    /// Gives each of the plans a seat.
    pub(crate) fn start(plans: Vec<(Address, Plan)>, wanted: Wanted) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
        });
        for (_, plan) in &plans {
            shared.want(&plan.name, wanted);
        }
        let seen = Arc::clone(&shared);
        let thread = std::thread::spawn(move || live(plans, &seen));
        Self {
            shared,
            thread: Some(thread),
        }
    }

    pub(crate) fn want(&self, name: &str, wanted: Wanted) {
        self.must_live();
        self.shared.want(name, wanted);
    }

    /// From now on nobody says anything new, or they do again.
    pub(crate) fn set_quiet(&self, quiet: bool) {
        self.shared.lock().quiet = quiet;
    }

    /// How far each of them is.
    pub(crate) fn positions(&self) -> HashMap<String, Position> {
        self.must_live();
        self.shared.lock().positions.clone()
    }

    /// How often a member was told that another connection has its name.
    pub(crate) fn superseded(&self) -> u64 {
        self.shared.lock().superseded
    }

    /// How often a member was told that an operator has ended its connection.
    pub(crate) fn kicked(&self) -> u64 {
        self.shared.lock().kicked
    }

    /// Whether a member was told that its session has ended: it does not come back.
    pub(crate) fn is_over(&self, name: &str) -> bool {
        self.must_live();
        self.shared.lock().over.iter().any(|over| over == name)
    }

    fn must_live(&self) {
        let has_failed = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        assert!(!has_failed, "a member has failed, see above");
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.shared.lock().closing = true;
            thread.join().ok();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody fails while holding it")
    }

    fn want(&self, name: &str, wanted: Wanted) {
        self.lock().wanted.insert(name.to_owned(), wanted);
    }
}

fn live(plans: Vec<(Address, Plan)>, shared: &Shared) {
    let (context, clock) = (Context::new(), Clock::start());
    let mut seats: Vec<_> = plans
        .into_iter()
        .map(|(address, plan)| Seat {
            address,
            plan,
            member: None,
            superseded_at: None,
            is_over: false,
        })
        .collect();
    loop {
        let (wanted, quiet) = {
            let state = shared.lock();
            if state.closing {
                return;
            }
            (state.wanted.clone(), state.quiet)
        };
        wait(&seats, &wanted, clock, quiet);
        for seat in &mut seats {
            let wanted = wanted[&seat.plan.name];
            match seat.turn(&context, clock, wanted, quiet) {
                None => {}
                Some(Loss::Name) => shared.lock().superseded += 1,
                Some(Loss::Connection) => shared.lock().kicked += 1,
                Some(Loss::Session) => shared.lock().over.push(seat.plan.name.clone()),
            }
        }
        let mut state = shared.lock();
        for seat in &seats {
            if let Some(member) = &seat.member {
                state
                    .positions
                    .insert(seat.plan.name.clone(), member.position);
            }
        }
    }
}

fn wait(seats: &[Seat], wanted: &HashMap<String, Wanted>, clock: Clock, quiet: bool) {
    let runs = |seat: &&Seat| wanted[&seat.plan.name] == Wanted::Running;
    let members = || {
        seats
            .iter()
            .filter(runs)
            .filter_map(|seat| seat.member.as_ref())
    };
    let deadline = members().filter_map(|member| member.deadline(quiet)).min();
    let timeout = deadline.map_or(ROUND, |at| clock.until(at)).min(ROUND);
    let connections: Vec<&Connection> = members().map(Member::connection).collect();
    connection::wait(connections, &[], Some(timeout)).expect("the sockets work");
}

impl Seat {
    /// Gives its member a turn; says what it has just lost.
    fn turn(
        &mut self,
        context: &Context,
        clock: Clock,
        wanted: Wanted,
        quiet: bool,
    ) -> Option<Loss> {
        match wanted {
            _ if self.is_over => return None,
            Wanted::Paused => return None,
            Wanted::Gone => {
                self.member = None;
                return None;
            }
            Wanted::Running => {}
        }
        if self
            .superseded_at
            .is_some_and(|at| since_ms(at) < COME_BACK_MS)
        {
            return None;
        }
        self.superseded_at = None;
        let (address, plan) = (&self.address, &self.plan);
        let member = self.member.get_or_insert_with(|| {
            let place = Place {
                context: context.clone(),
                address: address.clone(),
            };
            Member::start(&place, plan)
        });
        member.turn(clock.now(), quiet);
        match member.ended.take() {
            None => None,
            // Who was cut off when it was superseded finds out by what was published since.
            Some(Ending::Superseded | Ending::SequencesTaken(_)) => {
                self.member = None;
                self.superseded_at = Some(now_us());
                Some(Loss::Name)
            }
            Some(Ending::Refused {
                code: Code::Removed,
                ..
            }) => {
                self.member = None;
                self.superseded_at = Some(now_us());
                Some(Loss::Connection)
            }
            Some(
                Ending::SessionEnded
                | Ending::Refused {
                    code: Code::SessionEnded,
                    ..
                },
            ) => {
                self.member = None;
                self.is_over = true;
                Some(Loss::Session)
            }
            Some(ending) => panic!("{}: {ending}", self.plan.name),
        }
    }
}
