//! `GET /metrics`: read by the parser of Prometheus' own client library, and described.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use orden::web::metrics::METRICS;
use orden_kit::programs::python;
use orden_kit::root;

use super::asking::{ask, get};
use super::broker;
use crate::security::stage::Peer;

const PARSER: &str = "prometheus-client==0.26.0";
/// Prints `family type` for each family, and `name{labels} value` for each sample.
const PARSE: &str = r#"
import sys
if sys.argv[1] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family
    for sample in family.samples:
        labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
        print(f"{sample.name}{{{labels}}} {sample.value}")
"#;

fn samples(format: &str, text: &str) -> BTreeMap<String, f64> {
    let mut parser = Command::new(python::with("prometheus_client", PARSER))
        .args(["-c", PARSE, format])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    parser
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "no metrics:\n{text}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let split = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.lines().map(split).collect()
}

#[test]
fn a_parser_that_is_not_ours_reads_them() {
    let broker = broker();
    let http = broker.http_address();
    let peer = Peer::join(&broker, "ana", None);
    peer.say("ana: hola");
    let order = peer.hear_until("ana: hola");
    peer.send(b"no JSON");
    broker.await_refused("not_json", 1);
    let plain = get(http, "/metrics");
    assert!(
        plain.head.contains("text/plain; version=0.0.4"),
        "{}",
        plain.head
    );
    let open = ["Accept: application/openmetrics-text; version=1.0.0"];
    let open = ask(http, "GET /metrics", &open, b"");
    assert!(
        open.head.contains("application/openmetrics-text"),
        "{}",
        open.head
    );
    for (format, text) in [("prometheus", plain.text()), ("openmetrics", open.text())] {
        let samples = samples(format, text);
        let value = |name: &str| {
            let value = samples.get(name);
            *value.unwrap_or_else(|| panic!("{format} has no {name}: {samples:#?}"))
        };
        #[expect(clippy::cast_precision_loss, reason = "a small number")]
        let next = (order + 1) as f64;
        let near = |a: f64, b: f64| (a - b).abs() < 0.5;
        assert!(near(value("orden_next_order{}"), next));
        assert!(near(value("orden_messages_ordered_total{}"), 1.0));
        assert!(near(value("orden_refused_total{reason=not_json}"), 1.0));
        assert!(near(
            value("orden_members{dialect=binary,presence=present}"),
            1.0
        ));
        assert!(value("orden_log_free_bytes{}") > 0.0);
        assert!(near(value("orden_log_full{}"), 0.0));
        assert!(near(value("orden_connections{}"), 1.0));
        // The notice of joining and the message, at least.
        assert!(value("orden_batch_messages_sum{}") >= 2.0);
        assert!(value("orden_sync_seconds_count{}") >= 1.0);
        assert!(value("orden_sync_seconds_sum{}") > 0.0);
        let all = "orden_sync_seconds_bucket{le=+Inf}";
        assert!(near(value(all), value("orden_sync_seconds_count{}")));
        let unknown: Vec<_> = (samples.keys())
            .filter(|sample| {
                let name = sample.split('{').next().unwrap();
                let base = ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|end| name.strip_suffix(end));
                !METRICS
                    .iter()
                    .any(|(known, _)| *known == name || Some(*known) == base)
            })
            .collect();
        assert!(unknown.is_empty(), "in no list: {unknown:?}");
        assert!(
            !samples.keys().any(|sample| sample.contains("ana")),
            "a label by member"
        );
    }
}

#[test]
fn each_is_described() {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let described: BTreeMap<&str, &str> = (page.lines())
        .filter_map(|line| line.strip_prefix("| `orden_"))
        .map(|line| {
            let (name, rest) = line.split_once('`').unwrap();
            let meaning = rest.rsplit(" | ").next().unwrap();
            (name, meaning.trim_end_matches(" |"))
        })
        .collect();
    for (name, meaning) in METRICS {
        let name = name.strip_prefix("orden_").unwrap();
        let said = described
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not described"));
        assert!(
            said.starts_with(meaning),
            "{name}: {said:?} is not {meaning:?}"
        );
    }
    assert_eq!(
        described.len(),
        METRICS.len(),
        "what is described and what there is differ"
    );
}
