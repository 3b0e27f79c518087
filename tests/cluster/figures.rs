//! What several brokers cost beside one that is alone: docs/performance.md has the figures.
//!
//! ```sh
//! cargo build --release && cargo run --release --example figures
//! ```

use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::programs::nats::NatsServers;
use orden_kit::programs::{Program, command as program};
use serde_json::Value;

/// Rounds in turn, of which the medians are shown.
const ROUNDS: usize = 3;

/// One broker or several, and the servers that hold their order.
struct Setting {
    name: &'static str,
    brokers: usize,
    servers: usize,
}

const SETTINGS: [Setting; 5] = [
    Setting::of("one broker, alone", 1, 0),
    Setting::of("one copy, one broker", 1, 1),
    Setting::of("one copy, three brokers", 3, 1),
    Setting::of("three copies, one broker", 1, 3),
    Setting::of("three copies, three brokers", 3, 3),
];

/// What a round has shown.
#[derive(Clone, Copy, Default)]
struct Figures {
    ordered: f64,
    delivered: f64,
    p50: f64,
    p99: f64,
}

impl Setting {
    const fn of(name: &'static str, brokers: usize, servers: usize) -> Self {
        Self {
            name,
            brokers,
            servers,
        }
    }

    fn round(&self) -> Figures {
        let servers = (self.servers > 0).then(|| NatsServers::on_disk(self.servers));
        let place = servers.as_ref().map(|servers| {
            let mut place = vec!["--cluster".to_owned(), servers.urls().join(",")];
            if self.servers < 3 {
                place.push("--insecure-single-copy".to_owned());
            }
            let end = run(command().args(["stream", "create"]).args(&place));
            assert!(end.success(), "{}", end.complaint);
            place
        });
        let brokers: Vec<_> = (0..self.brokers)
            .map(|number| {
                let name = number.to_string();
                let mut flags: Vec<&str> = Vec::new();
                if let Some(place) = &place {
                    flags.extend(place.iter().map(String::as_str));
                    flags.extend(["--broker-name", &name]);
                }
                Broker::start(&flags)
            })
            .collect();
        let full = bench(&brokers, &["--messages", "400000"]);
        let paced = bench(&brokers, &["--messages", "20000", "--rate", "2000"]);
        let figure = |of: &Value, name: &str| of[name].as_f64().unwrap_or_default();
        Figures {
            ordered: figure(&full, "messages") / figure(&full, "seconds"),
            delivered: figure(&full, "deliveries_per_second"),
            p50: figure(&paced, "p50_us"),
            p99: figure(&paced, "p99_us"),
        }
    }
}

/// Nine subscribers and three publishers, spread over the brokers.
fn bench(brokers: &[Broker], more: &[&str]) -> Value {
    let mut bench = program("orden-bench");
    for broker in brokers {
        bench.args(["--address", broker.address()]);
    }
    bench.args(["--subscribers", "9", "--publishers", "3", "--size", "120"]);
    let program = Program::start("orden-bench", bench.args(["--format", "json"]).args(more));
    let end = program.end();
    assert!(end.success(), "{}", end.complaint);
    let line = end.lines.last().expect("a line of JSON");
    serde_json::from_str(line).expect("a line of JSON")
}

fn median(rounds: &[Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    let mut all: Vec<_> = rounds.iter().map(of).collect();
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    let mut rounds = SETTINGS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (setting, rounds) in SETTINGS.iter().zip(&mut rounds) {
            rounds.push(setting.round());
        }
    }
    println!("| | ordered/s | deliveries/s | 2,000/s: half | 99 of 100 |");
    println!("| --- | --- | --- | --- | --- |");
    for (setting, rounds) in SETTINGS.iter().zip(&rounds) {
        println!(
            "| {} | {:.0} | {:.0} | {:.2} ms | {:.2} ms |",
            setting.name,
            median(rounds, |it| it.ordered),
            median(rounds, |it| it.delivered),
            median(rounds, |it| it.p50) / 1e3,
            median(rounds, |it| it.p99) / 1e3,
        );
    }
}
