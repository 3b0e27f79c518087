//! One run: all peers connect, then the clock starts, then all reports are collected.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use super::clock::Clock;
use super::error::Error;
use super::link::bare::Bare;
use super::link::fixed::{Binary, Fixed, Json};
use super::link::native::Native;
use super::link::{Publish, Role, Who};
use super::outcome::Outcome;
use super::plan::{Dialect, Plan, Target};
use super::server::{Server, Usage};
use super::shared::{News, Shared};
use super::{publishing, subscribing};

/// From the word to the first message: all threads are awake by then.
const LEAD: u64 = 2_000_000;
/// How often the progress is shown, and an interruption noticed.
const LOOK: Duration = Duration::from_millis(50);
/// After the last message: what comes twice comes now.
const GRACE: Duration = Duration::from_millis(100);

/// Makes a run; `show` is told now and then how many messages were delivered.
///
/// A run that is begun always has an outcome, which may be that it has failed.
pub(super) fn run(
    plan: &Plan,
    interrupted: &AtomicBool,
    show: &mut dyn FnMut(u64),
) -> Result<Outcome, Error> {
    let server = match &plan.target {
        Target::Running(_) => None,
        Target::Child(storage) => Some(Server::start(storage, plan.curve)?),
    };
    let conductor = Conductor {
        plan,
        server: server.as_ref(),
        interrupted,
        show,
        early_memory: 0,
    };
    let batch = plan.batch;
    match plan.dialect {
        Dialect::Native => conductor.run::<Native>(|_| {}),
        Dialect::Binary => conductor.run::<Fixed<Binary>>(|_| {}),
        Dialect::Json => conductor.run::<Fixed<Json>>(|_| {}),
        Dialect::Bare => conductor.run::<Bare>(move |link| link.set_batch(batch)),
    }
}

struct Conductor<'a> {
    plan: &'a Plan,
    server: Option<&'a Server>,
    interrupted: &'a AtomicBool,
    show: &'a mut dyn FnMut(u64),
    /// The server's, after a tenth of the run.
    early_memory: u64,
}

type Reports<'scope, T> = Vec<ScopedJoinHandle<'scope, Option<T>>>;

impl Conductor<'_> {
    fn run<L: Publish>(
        mut self,
        prepare: impl Fn(&mut L) + Copy + Send + core::marker::Sync,
    ) -> Result<Outcome, Error> {
        let (news_in, news) = unbounded();
        let (start_in, start) = bounded(self.plan.threads);
        let (end_in, end) = bounded(0);
        let run = getrandom::u32().map_err(|error| Error::Peer(error.to_string()))?;
        let shared = Shared {
            plan: self.plan,
            clock: Clock::start(),
            delivered: AtomicU64::new(0),
            news: news_in,
            start,
            run,
            over: AtomicBool::new(false),
            end,
        };
        std::thread::scope(|scope| {
            let who = self.groups(&shared, Role::Subscriber, self.plan.subscribers);
            let subscribers = spawn(scope, &shared, who, move |shared, who| {
                subscribing::run::<L>(shared, who, prepare)
            });
            let who = self.groups(&shared, Role::Publisher, self.plan.publishers);
            let publishers = spawn(scope, &shared, who, move |shared, who| {
                publishing::run::<L>(shared, who, prepare)
            });
            let who = self.groups(&shared, Role::Stalled, self.plan.stalled);
            let stalled = spawn(scope, &shared, who, subscribing::stall::<L>);
            let active = subscribers.len() + publishers.len();
            let connected = self.wait_for_all(&shared, &news, active + stalled.len());
            let result = connected.map(|()| self.conduct(&shared, &news, &start_in, active));
            shared.over.store(true, Ordering::Relaxed);
            drop((start_in, end_in));
            // What has not begun has no outcome.
            let mut outcome = match result? {
                Ok(used) => Outcome::new(self.plan, None, used),
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                Err(error) => Outcome::new(self.plan, Some(error.to_string()), Usage::default()),
            };
            for report in subscribers.into_iter().filter_map(finished) {
                outcome.subscribed(&report);
            }
            for report in publishers.into_iter().filter_map(finished) {
                outcome.published(&report);
            }
            for thread in stalled {
                finished(thread);
            }
            outcome.finish();
            Ok(outcome)
        })
    }

    /// Who is to be served by which thread.
    fn groups(&self, shared: &Shared<'_>, role: Role, count: usize) -> Vec<Vec<Who>> {
        let addresses = match (&self.plan.target, self.server) {
            (Target::Running(addresses), _) => addresses,
            (Target::Child(_), Some(server)) => std::slice::from_ref(&server.address),
            (Target::Child(_), None) => unreachable!("started before"),
        };
        let mut groups = vec![Vec::new(); count.min(self.plan.threads)];
        let threads = groups.len().max(1);
        let payload = shared.payload();
        for number in 0..count {
            groups[number % threads].push(Who {
                address: addresses[number % addresses.len()].clone(),
                keys: self.server.and_then(|server| server.keys.clone()),
                run: shared.run,
                role,
                number,
                mark: payload.mark(u16::try_from(number).unwrap_or(u16::MAX)),
            });
        }
        groups
    }

    /// Says when to begin, and waits until all have everything; returns what the child has used
    /// meanwhile.
    fn conduct(
        &mut self,
        shared: &Shared<'_>,
        news: &Receiver<News>,
        start: &Sender<u64>,
        threads: usize,
    ) -> Result<Usage, Error> {
        let before = self.usage();
        let begin = shared.clock.now() + LEAD;
        for _ in 0..self.plan.publishers.min(self.plan.threads) {
            start.send(begin).ok();
        }
        self.wait_for_all(shared, news, threads)?;
        let after = self.usage();
        match news.recv_timeout(GRACE) {
            Ok(News::Failed(error)) => Err(error),
            _ => Ok(Usage {
                processor: after.processor.saturating_sub(before.processor),
                early_memory: self.early_memory,
                memory: after.memory,
                peak_memory: after.peak_memory,
                writes: after.writes.saturating_sub(before.writes),
            }),
        }
    }

    fn usage(&self) -> Usage {
        self.server.map_or_else(Usage::default, Server::usage)
    }

    /// Waits until so many threads have had good news.
    fn wait_for_all(
        &mut self,
        shared: &Shared<'_>,
        news: &Receiver<News>,
        threads: usize,
    ) -> Result<(), Error> {
        let mut left = threads;
        let mut progress = (0, shared.clock.now());
        while left > 0 {
            match news.recv_timeout(LOOK) {
                Ok(News::Ready | News::Complete) => left -= 1,
                Ok(News::Failed(error)) => return Err(error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => unreachable!("`shared` has a sender"),
            }
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            if self.server.is_some_and(Server::has_ended) {
                return Err(Error::Server("it has ended, see above".to_owned()));
            }
            let (delivered, now) = (shared.delivered.load(Ordering::Relaxed), shared.clock.now());
            (self.show)(delivered);
            if self.early_memory == 0 && delivered > self.plan.deliveries() / 10 {
                self.early_memory = self.usage().memory;
            }
            if delivered != progress.0 {
                progress = (delivered, now);
            }
            let silence = Duration::from_nanos(now - progress.1);
            if silence > self.plan.patience {
                return Err(Error::Peer(format!("nothing has come for {silence:.0?}")));
            }
            if Duration::from_nanos(now) > self.plan.deadline {
                return Err(Error::Peer(format!(
                    "it took longer than {:?}",
                    self.plan.deadline
                )));
            }
        }
        Ok(())
    }
}

/// Starts a thread for each group; one that fails says so.
fn spawn<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    shared: &'env Shared<'_>,
    groups: Vec<Vec<Who>>,
    work: impl Fn(&Shared<'_>, &[Who]) -> Result<T, Error> + Copy + Send + 'scope,
) -> Reports<'scope, T> {
    let start = |who: Vec<Who>| {
        scope.spawn(move || {
            let result = work(shared, &who);
            let (report, error) = match result {
                Ok(report) => (Some(report), None),
                Err(error) => (None, Some(error)),
            };
            if let Some(error) = error {
                // It goes unheard once the run was given up.
                shared.news.send(News::Failed(error)).ok();
            }
            report
        })
    };
    groups.into_iter().map(start).collect()
}

fn finished<T>(thread: ScopedJoinHandle<'_, Option<T>>) -> Option<T> {
    match thread.join() {
        Ok(report) => report,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
