//! A broker's answers in the words of a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use orden::display::Escaped;
use serde_json::Value;

/// How it is, in a few lines.
pub(crate) fn status(status: &Value) -> String {
    let number = |name: &str| status[name].as_u64().unwrap_or_default();
    let text = |name: &str| {
        Escaped::text(status[name].as_str().unwrap_or_default().as_bytes()).to_string()
    };
    let mut out = String::new();
    let mut line = |name: &str, what: String| {
        let written = writeln!(out, "{name:<11} {what}");
        written.expect("a string takes all");
    };
    let up = Duration::from_secs(status["uptime_seconds"].as_f64().map_or(0, whole));
    line(
        "broker",
        format!(
            "{}, up {}, epoch {} of log {}",
            text("version"),
            humantime::format_duration(up),
            number("epoch"),
            text("log_id"),
        ),
    );
    line(
        "messages",
        format!(
            "next {}, oldest {}; {} ordered, {} repeated",
            number("next_order"),
            number("oldest_order"),
            number("ordered"),
            number("repeated"),
        ),
    );
    let (delivered, again) = (number("delivered"), number("retransmitted"));
    line(
        "deliveries",
        format!("{delivered}; {again} times sent again"),
    );
    out += &members_and_log(status);
    out
}

/// The lines about members, connections, disk and refusals.
fn members_and_log(status: &Value) -> String {
    let number = |name: &str| status[name].as_u64().unwrap_or_default();
    let mut out = String::new();
    let mut line = |name: &str, what: String| {
        let written = writeln!(out, "{name:<11} {what}");
        written.expect("a string takes all");
    };
    let members = &status["members"];
    line(
        "members",
        format!(
            "{} present, {} away; {} behind",
            members["present"],
            members["away"],
            number("behind")
        ),
    );
    if let Some(lag) = status["lag"].as_object() {
        let of = |name: &str| lag.get(name).and_then(Value::as_u64).unwrap_or_default();
        line(
            "lag",
            format!(
                "{} (half), {} (99 of 100), {} (worst)",
                of("p50"),
                of("p99"),
                of("max")
            ),
        );
    }
    if let Some(connections) = status["connections"].as_u64() {
        line("connections", connections.to_string());
    }
    if let Some(what) = stream(status) {
        line("stream", what);
    }
    if let Some(log) = status["log"].as_object() {
        let of = |name: &str| log.get(name).and_then(Value::as_u64).unwrap_or_default();
        let full = if log.get("full") == Some(&Value::Bool(true)) {
            "; full: new messages are refused"
        } else {
            ""
        };
        line(
            "log",
            format!(
                "{} in {} segments, {} free{full}",
                bytes(of("bytes")),
                of("segments"),
                bytes(of("free_bytes")),
            ),
        );
    }
    if let Some(refused) = status["refused"].as_object().filter(|it| !it.is_empty()) {
        let reasons = refused.iter().map(|(reason, count)| {
            let reason = Escaped::text(reason.as_bytes());
            format!("{reason} {count}")
        });
        line("refused", reasons.collect::<Vec<_>>().join(", "));
    }
    out
}

/// What there is only of several brokers.
fn stream(status: &Value) -> Option<String> {
    let stream = status["stream"].as_object()?;
    let brokers = status["brokers"].as_array()?.iter();
    let names = brokers.filter_map(Value::as_str);
    let names: Vec<_> = names
        .map(|name| Escaped::text(name.as_bytes()).to_string())
        .collect();
    let obstacle = stream.get("obstacle").and_then(Value::as_str);
    let obstacle = obstacle.map_or(String::new(), |it| format!("; not ready: {it}"));
    Some(format!(
        "position {}, {} records behind; brokers {}{obstacle}",
        status["position"],
        stream["behind"],
        names.join(", "),
    ))
}

/// Members, a line each.
pub(crate) fn members(page: &Value) -> String {
    let none = Vec::new();
    let members = page["members"].as_array().unwrap_or(&none);
    let mut out = String::new();
    let name = |member: &Value| {
        Escaped::text(member["name"].as_str().unwrap_or_default().as_bytes()).to_string()
    };
    let width = members
        .iter()
        .map(|member| name(member).chars().count())
        .max();
    let width = width.unwrap_or_default().max("name".len());
    let mut line = |name: &str, dialect: &str, there: &str, numbers: [&str; 3]| {
        let [floor, lag, in_flight] = numbers;
        let written = writeln!(
            out,
            "{name:<width$}  {dialect:<7} {there:<8} {floor:>10} {lag:>10} {in_flight:>9}"
        );
        written.expect("a string takes all");
    };
    line("name", "dialect", "", ["floor", "lag", "in flight"]);
    for member in members {
        let there = if member["present"] == true {
            "present"
        } else {
            "away"
        };
        let number = |name: &str| match member[name].as_u64() {
            Some(number) => number.to_string(),
            None => "-".to_owned(),
        };
        line(
            &name(member),
            member["dialect"].as_str().unwrap_or_default(),
            there,
            [&number("floor"), &number("lag"), &number("in_flight")],
        );
    }
    if page.get("next").is_some() || page.get("next_base64").is_some() {
        let written = writeln!(
            out,
            "… of {}; --after with the last name shows the next",
            page["total"]
        );
        written.expect("a string takes all");
    }
    out
}

/// What was read anew.
pub(crate) fn reloaded(answer: &Value) -> String {
    let none = Vec::new();
    let parts = answer["reloaded"].as_array().unwrap_or(&none);
    let parts: Vec<_> = parts.iter().filter_map(Value::as_str).collect();
    if parts.is_empty() {
        return "nothing to reload: no access list, no log file\n".to_owned();
    }
    format!("reloaded: {}\n", parts.join(", "))
}

/// A number of bytes in words.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut whole, mut tenths, mut unit) = (count, 0, "B");
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        (tenths, whole, unit) = (whole % 1024 * 10 / 1024, whole / 1024, next);
    }
    match unit {
        "B" => format!("{whole} B"),
        unit => format!("{whole}.{tenths} {unit}"),
    }
}

fn whole(seconds: f64) -> u64 {
    Duration::try_from_secs_f64(seconds).map_or(0, |time| time.as_secs())
}
