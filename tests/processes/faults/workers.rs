//! Members in processes of their own, to be killed and frozen: this very test program, started
//! again for one member.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use orden::client::{Clock, Context, connection};
use rustix::process::{Pid, Signal, getppid, kill_process};

use crate::faults::member::{Kind, Member, Place, Plan};
use crate::faults::stage::{Cast, HEALED, Stage};
use orden_kit::alone;
use orden_kit::checker::file::Followed;
use orden_kit::clock::{pause, until};

const VARIABLE: &str = "ORDEN_FAULTS_MEMBER";

/// A member's process.
struct Worker {
    child: Child,
}

impl Worker {
    fn start(address: &str, plan: &Plan) -> Self {
        let directory = plan.history.parent().expect("a directory");
        let member = format!(
            "{address} {} {} {}",
            plan.name,
            plan.seed,
            directory.display()
        );
        let child = alone::command(module_path!(), "live_alone")
            .env(VARIABLE, member)
            .stdout(Stdio::null())
            .spawn();
        Self {
            child: child.expect("this program starts again"),
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a child of ours");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a worker does, if this is one; otherwise nothing.
#[test]
fn live_alone() {
    let Ok(member) = std::env::var(VARIABLE) else {
        return;
    };
    let [address, name, seed, directory] = member.splitn(4, ' ').collect::<Vec<_>>()[..] else {
        panic!("{member}");
    };
    let directory = PathBuf::from(directory);
    let plan = Plan::new(&directory, name, seed.parse().expect("a number"));
    let place = Place {
        context: Context::new(),
        address: address.parse().expect("an address"),
    };
    let (clock, parent) = (Clock::start(), getppid());
    let mut member = Member::start(&place, &plan);
    while getppid() == parent && member.ended.is_none() {
        let quiet = directory.join("quiet").exists();
        let round = Duration::from_millis(50);
        let timeout = member.deadline(quiet).map_or(round, |at| clock.until(at));
        connection::wait([member.connection()], &[], Some(timeout.min(round))).expect("it works");
        member.turn(clock.now(), quiet);
    }
    assert_eq!(member.ended, None, "{name}");
}

/// Waits until a worker has had something confirmed that it has said from now on.
fn await_progress(plan: &Plan) {
    let mut member = Followed::new(&plan.history);
    let sent = member.position().sent;
    let well = until(HEALED, || member.position().confirmed > sent);
    assert!(well, "{}: {:?}", plan.name, member.position());
}

/// Each position is handed to the library by the program itself: what it has processed it is not
/// given again, what it has said is not ordered twice.
#[test]
fn members_are_killed_and_frozen() {
    let mut stage = Stage::set(Cast {
        natives: 2,
        ..Cast::default()
    });
    let address = stage.proxies[0].address().to_string();
    let plans = [
        stage.one_more("own-process-a", Kind::Staying),
        stage.one_more("own-process-b", Kind::Staying),
    ];
    let mut workers = plans.each_ref().map(|plan| Worker::start(&address, plan));
    for _ in 0..6 {
        for (plan, worker) in plans.iter().zip(&mut workers) {
            await_progress(plan);
            stage.fault("F4 kill -9 of a member", |stage| {
                worker.signal(Signal::KILL);
                worker.child.wait().expect("a child of ours");
                let moment = stage.random.below(200);
                pause(Duration::from_millis(moment));
                *worker = Worker::start(&address, plan);
                await_progress(plan);
            });
        }
    }
    stage.fault("F5 a member's process stands still", |_| {
        workers[0].signal(Signal::STOP);
        pause(Duration::from_secs(4));
        workers[0].signal(Signal::CONT);
        await_progress(&plans[0]);
    });
    stage.finish();
}
