//! A broker process, members behind proxies, faults, and the judgement at the end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::faults::crowd::{Crowd, Wanted};
use crate::faults::fixed::{Dialect, Fixed};
use crate::faults::member::{Kind, Plan};
use crate::faults::table::Table;
use orden_kit::checker::check_stream;
use orden_kit::checker::file::{self, Followed, Position};
use orden_kit::checker::history::{Event, Moment};
use orden_kit::checker::outcome::Outcome;
use orden_kit::clock::{now_us, since_ms, until};
use orden_kit::programs::broker::{Broker, Environment};
use orden_kit::proxy::{Proxy, Weather};
use orden_kit::random::Random;
use orden_kit::whole_log;

/// Everybody has to be as far as everybody else so long after the last fault.
pub(crate) const HEALED: Duration = Duration::from_mins(1);

/// What a stage is set with.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) natives: usize,
    pub(crate) proxies: usize,
    /// Where the broker finds other clocks than the machine's, if anywhere.
    pub(crate) environment: Environment,
    /// A binary and a JSON member, too.
    pub(crate) fixed: bool,
    /// What the broker is told besides its address and directory.
    pub(crate) flags: String,
    pub(crate) every: Duration,
    pub(crate) bytes: u64,
}

impl Default for Cast {
    fn default() -> Self {
        Self {
            natives: 6,
            proxies: 2,
            environment: Environment::new(),
            fixed: true,
            flags: "--ping-after 1 --away-after 3".to_owned(),
            every: Duration::from_millis(20),
            bytes: 300,
        }
    }
}

/// A broker with its log in `data` and these flags.
pub(crate) fn broker_on(data: &Path, flags: &str, environment: Environment) -> Broker {
    let data = data.to_str().expect("UTF-8");
    let flags = ["--data", data].into_iter().chain(flags.split_whitespace());
    Broker::start_with(&flags.collect::<Vec<_>>(), environment)
}

pub(crate) struct Stage {
    pub(crate) random: Random,
    pub(crate) seed: u64,
    // Members first: they end before what they connect to.
    pub(crate) crowd: Crowd,
    /// Others who come under the names of the crowd's first members.
    pub(crate) twins: Crowd,
    fixed: Vec<Fixed>,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) broker: Option<Broker>,
    pub(crate) cast: Cast,
    pub(crate) table: Table,
    /// Others that take part, not in the crowd, and what they can be held to.
    pub(crate) others: Vec<(Plan, Kind)>,
    data: PathBuf,
    directory: TempDir,
}

pub(crate) const TWINS: usize = 2;

impl Stage {
    pub(crate) fn set(cast: Cast) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("log");
        Self::set_on(cast, directory, &data)
    }

    /// As `set`, with the log in `data`.
    pub(crate) fn set_on(cast: Cast, directory: TempDir, data: &Path) -> Self {
        let (seed, mut random) = Random::from_environment();
        let broker = broker_on(data, &cast.flags, cast.environment.clone());
        let start = |_| Proxy::start(broker.socket_address()).expect("a port");
        let proxies: Vec<Proxy> = (0..cast.proxies).map(start).collect();
        let address = |index: usize| {
            let address = proxies[index % proxies.len()].address().to_string();
            address.parse().expect("an address")
        };
        let mut plan = |index: usize| {
            let mut plan = Plan::new(directory.path(), &format!("m{index:02}"), random.next());
            plan.every = Some(cast.every);
            plan.bytes = cast.bytes;
            plan
        };
        let plans: Vec<_> = (0..cast.natives).map(&mut plan).collect();
        let twins = plans.iter().take(TWINS).enumerate().map(|(index, plan)| {
            let mut twin = plan.clone();
            twin.who = format!("*twin of {}", plan.name);
            twin.history = directory.path().join(format!("{}.twin", plan.name));
            twin.every = None;
            (address(index + 1), twin)
        });
        let twins = Crowd::start(twins.collect(), Wanted::Gone);
        let natives = plans.into_iter().enumerate();
        let natives = natives
            .map(|(index, plan)| (address(index), plan))
            .collect();
        let crowd = Crowd::start(natives, Wanted::Running);
        let mut fixed = Vec::new();
        if cast.fixed {
            for (name, dialect) in [("bin", Dialect::Binary), ("json", Dialect::Json)] {
                let mut plan = Plan::new(directory.path(), name, random.next());
                plan.every = Some(cast.every * 3);
                let endpoint = format!("tcp://{}", proxies[0].address());
                fixed.push(Fixed::start(endpoint, plan, dialect));
            }
        }
        let stage = Self {
            random,
            seed,
            crowd,
            twins,
            fixed,
            proxies,
            broker: Some(broker),
            cast,
            table: Table::default(),
            others: Vec::new(),
            data: data.to_owned(),
            directory,
        };
        stage.await_recovery(&stage.crowd.positions());
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn broker(&mut self) -> &mut Broker {
        self.broker.as_mut().expect("it runs")
    }

    pub(crate) fn kill_broker(&mut self) {
        self.broker.take().expect("it runs").kill();
    }

    /// What the broker has said to people.
    pub(crate) fn broker_says(&self) -> String {
        let broker = self.broker.as_ref().expect("it runs");
        broker.program().complaints()
    }

    /// Starts the broker on its log again, and leads everybody there.
    pub(crate) fn start_broker(&mut self) {
        let broker = broker_on(&self.data, &self.cast.flags, self.cast.environment.clone());
        for proxy in &self.proxies {
            proxy.aim(broker.socket_address());
        }
        self.broker = Some(broker);
    }

    pub(crate) fn name(index: usize) -> String {
        format!("m{index:02}")
    }

    /// Lets a fault happen, which has ended when `inject` returns; waits until everybody is well
    /// again and notes what it has cost.
    pub(crate) fn fault(&mut self, what: &'static str, inject: impl FnOnce(&mut Self)) {
        self.faults(&[what], inject);
    }

    /// As `fault`, of several at once.
    pub(crate) fn faults(&mut self, what: &[&'static str], inject: impl FnOnce(&mut Self)) {
        let before = sum(&self.crowd.positions(), |position| position.confirmed);
        println!("{what:?}");
        inject(self);
        // Starting the broker again is part of the recovery.
        let healed_at = now_us();
        self.heal();
        let positions = self.crowd.positions();
        self.await_recovery(&positions);
        let sent = sum(&self.crowd.positions(), |position| position.sent);
        let ended = self.broker.as_mut().is_none_or(|broker| !broker.is_alive());
        assert!(!ended, "seed {}: the broker has ended by itself", self.seed);
        for what in what {
            self.table.note(what, sent - before, since_ms(healed_at));
        }
    }

    pub(crate) fn heal(&mut self) {
        for proxy in &self.proxies {
            proxy.set_cut(None);
            proxy.set_weather(Weather::default());
        }
        for index in 0..self.cast.natives {
            self.crowd.want(&Self::name(index), Wanted::Running);
            if index < TWINS {
                self.twins.want(&Self::name(index), Wanted::Gone);
            }
        }
        if self.broker.is_none() {
            self.start_broker();
        }
    }

    /// Waits until each member has had something confirmed that it said after it was at
    /// `positions`, and has seen more than anybody had then.
    fn await_recovery(&self, positions: &HashMap<String, Position>) {
        let next = |position: &Position| position.next.map_or(0, |(_, next)| next);
        let furthest = positions.values().map(next).max().unwrap_or(0);
        let is_well = |(name, now): (&String, &Position)| {
            let sent = positions.get(name).map_or(0, |position| position.sent);
            now.confirmed > sent && next(now) > furthest
        };
        let mut last = HashMap::new();
        let recovered = until(HEALED, || {
            last = self.crowd.positions();
            let all = last.len() == self.cast.natives && last.iter().all(is_well);
            all && self.fixed.iter().all(|fixed| fixed.next() > furthest)
        });
        let fixed: Vec<_> = self.fixed.iter().map(Fixed::next).collect();
        assert!(
            recovered,
            "seed {}: not recovered from {positions:#?} but {last:#?}, {fixed:?}",
            self.seed
        );
    }

    /// Lets everybody finish, stops the broker, and judges.
    pub(crate) fn finish(mut self) {
        self.heal();
        self.set_quiet();
        let drained = self.drain();
        let seed = self.seed;
        if let Some(broker) = self.broker.take() {
            broker.finish();
        }
        let mut outcome = Outcome::default();
        let history = self.history().inspect(|moment| outcome.take(&moment.event));
        let verdict = check_stream(history);
        self.table.print(&outcome);
        println!(
            "{} messages, {} confirmed; {} deliveries",
            outcome.messages, outcome.confirmed, outcome.deliveries
        );
        if let Err(violation) = verdict {
            panic!("seed {seed}: {violation}");
        }
        assert!(drained, "seed {seed}: not everybody got to the end");
        assert_eq!(
            (outcome.lost, outcome.duplicated, outcome.reordered),
            (0, 0, 0),
            "seed {seed}"
        );
    }

    /// A plan for one more member, which is `kind`.
    pub(crate) fn one_more(&mut self, name: &str, kind: Kind) -> Plan {
        let seed = self.random.next();
        let mut plan = Plan::new(self.path(), name, seed);
        plan.every = Some(self.cast.every);
        plan.bytes = self.cast.bytes;
        self.others.push((plan.clone(), kind));
        plan
    }

    fn set_quiet(&self) {
        self.crowd.set_quiet(true);
        for fixed in &self.fixed {
            fixed.set_quiet(true);
        }
        std::fs::write(self.path().join("quiet"), "").expect("space");
    }

    /// Waits until everything is confirmed and everybody is at the same number, and stays there.
    fn drain(&self) -> bool {
        let others = self
            .others
            .iter()
            .filter(|(_, kind)| *kind == Kind::Staying);
        let mut others: Vec<_> = others
            .map(|(plan, _)| (plan.name.clone(), Followed::new(&plan.history)))
            .collect();
        let mut at = None;
        let mut since = now_us();
        until(HEALED, || {
            let mut positions = self.crowd.positions();
            for (name, other) in &mut others {
                positions.insert(name.clone(), other.position());
            }
            let next = |position: &Position| position.next.map_or(0, |(_, next)| next);
            let mut ends: Vec<u64> = positions.values().map(next).collect();
            ends.extend(self.fixed.iter().map(Fixed::next));
            let same = ends.iter().all(|end| *end == ends[0]);
            let confirmed = |position: &Position| position.confirmed == position.sent;
            let now = (same && positions.values().all(confirmed)).then(|| ends[0]);
            if now != at {
                at = now;
                since = now_us();
            }
            at.is_some() && since_ms(since) > 1_500
        })
    }

    /// What members and, after the end, the log tell.
    fn history(&self) -> impl Iterator<Item = Moment> + use<> {
        let of = |file: String| self.path().join(file);
        let crowd = (0..self.cast.natives).map(Self::name);
        let fixed = self.fixed.iter().map(|fixed| fixed.name.clone());
        let others = |staying: Kind| {
            let others = self.others.iter().filter(move |(_, kind)| *kind == staying);
            others.map(|(plan, _)| plan.name.clone())
        };
        let stay: Vec<_> = crowd.chain(fixed).chain(others(Kind::Staying)).collect();
        let pass = others(Kind::Passing);
        let files = stay.iter().cloned().chain(pass);
        let mut files: Vec<_> = files.map(|name| of(format!("{name}.history"))).collect();
        files.extend((0..TWINS).map(|index| of(format!("{}.twin", Self::name(index)))));

        let mut end = vec![Event::Healed];
        // Of those who were cut off, the broker may know more than they could write down.
        end.extend(
            whole_log::events(&self.data)
                .into_iter()
                .filter(|event| !matches!(event, Event::Floor { who, .. } if !stay.contains(who))),
        );
        let settled = |who| Event::Settled {
            who,
            receives: true,
        };
        end.extend(stay.into_iter().map(settled));
        let at = now_us();
        file::merged(files).chain(end.into_iter().map(move |event| Moment { at, event }))
    }
}

fn sum(positions: &HashMap<String, Position>, of: impl Fn(&Position) -> u64) -> u64 {
    positions.values().map(of).sum()
}
