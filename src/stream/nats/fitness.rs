//! What a stream must be like so that no record is lost or changed, and what differs.

use serde_json::{Value, json};

use super::info::Info;
use super::options::Options;

/// The least version of a server: before it each message was synced twice.
pub(super) const VERSION: (i64, i64, i64) = (2, 15, 0);
/// Copies that survive the loss of a machine.
const COPIES: u64 = 3;

/// The configuration that the stream is made with.
pub(super) fn wanted(options: &Options) -> Value {
    let copies = if options.allow_single_copy { 1 } else { COPIES };
    let [from, to] = options.tail();
    json!({
        "name": options.stream_name(),
        "description": "the order of orden's brokers",
        "subjects": options.subjects(),
        "retention": "limits",
        "storage": "file",
        "discard": "new",
        "max_age": 0,
        "max_msgs": -1,
        "max_bytes": -1,
        "max_msgs_per_subject": -1,
        "max_msg_size": -1,
        "num_replicas": copies,
        "deny_delete": true,
        "deny_purge": false,
        "allow_rollup_hdrs": false,
        "allow_direct": true,
        "republish": { "src": from, "dest": to },
    })
}

/// What must be as it says, and why. A field that is not there counts as null.
const EXACT: &[(&str, &str)] = &[
    ("name", "it is another stream"),
    ("subjects", "other subjects would mix with the order"),
    ("retention", "records would be removed"),
    ("storage", "records would be gone with the servers"),
    ("discard", "a full stream would remove its oldest records"),
    ("max_age", "records would be removed"),
    ("max_msgs", "use max_bytes to bound it"),
    ("max_msgs_per_subject", "records would be removed"),
    ("deny_delete", "records could be deleted"),
    ("allow_rollup_hdrs", "one record could remove all others"),
    ("allow_direct", "brokers could not read it"),
    ("republish", "brokers would not hear of records"),
];

/// What must not be there at all: empty, false, or null.
const ABSENT: &[(&str, &str)] = &[
    ("mirror", "it would be a copy of another"),
    ("sources", "others could write to it"),
    ("subject_transform", "records would move"),
    ("allow_msg_ttl", "records could be removed"),
    ("allow_msg_counter", "records could be changed"),
    ("allow_msg_schedules", "records could be repeated"),
    ("sealed", "nothing could be appended"),
    ("no_ack", "refusals would not be heard"),
];

/// What is wrong with the stream's configuration: nothing if it is safe.
pub(super) fn judge(options: &Options, info: &Info) -> Option<String> {
    let config = &info.config;
    let wanted = wanted(options);
    let mut found = Vec::new();
    let value = |key: &str| config.get(key).unwrap_or(&Value::Null);
    for (key, why) in EXACT {
        let is_same =
            value(key) == &wanted[key] || (is_nothing(value(key)) && is_nothing(&wanted[key]));
        if !is_same {
            found.push(format!(
                "{key} is {}, not {}: {why}",
                value(key),
                wanted[key]
            ));
        }
    }
    for (key, why) in ABSENT {
        if !is_nothing(value(key)) {
            found.push(format!("{key} is {}: {why}", value(key)));
        }
    }
    if value("persist_mode")
        .as_str()
        .is_some_and(|mode| mode != "default")
    {
        found.push("persist_mode is async: records would be gone with the servers".into());
    }
    let copies = value("num_replicas").as_u64().unwrap_or(0);
    if copies < COPIES && !options.allow_single_copy {
        found.push(format!(
            "num_replicas is {copies}, not {COPIES}: a machine that is lost would take the order \
             with it; give --insecure-single-copy if that may be"
        ));
    }
    (!found.is_empty()).then(|| found.join("; "))
}

/// Whether records are gone that should be there.
pub(super) fn losses(info: &Info) -> Option<String> {
    let deleted = info.state.num_deleted;
    if deleted > 0 {
        return Some(format!("{deleted} records were deleted from its middle"));
    }
    let lost = info.state.lost.as_ref().filter(|lost| !is_nothing(lost))?;
    Some(format!("the server has lost records: {lost}"))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::nats::info::{Cluster, State};

    fn info(options: &Options) -> Info {
        let Value::Object(config) = wanted(options) else {
            unreachable!()
        };
        Info {
            config,
            created: String::new(),
            state: State {
                first_seq: 1,
                last_seq: 1,
                num_deleted: 0,
                lost: None,
            },
            cluster: Cluster::default(),
        }
    }

    #[test]
    fn each_drift_is_found() {
        let options = Options::new(Vec::new(), "orden");
        let sound = info(&options);
        assert_eq!(judge(&options, &sound), None);
        let drifts = [
            ("num_replicas", json!(1)),
            ("storage", json!("memory")),
            ("retention", json!("interest")),
            ("discard", json!("old")),
            ("max_age", json!(1_000_000_000)),
            ("max_msgs", json!(10)),
            ("max_msgs_per_subject", json!(1)),
            ("deny_delete", json!(false)),
            ("allow_rollup_hdrs", json!(true)),
            ("allow_msg_ttl", json!(true)),
            ("allow_direct", json!(false)),
            ("mirror", json!({ "name": "x" })),
            ("sources", json!([{ "name": "x" }])),
            ("subject_transform", json!({ "src": "a", "dest": "b" })),
            ("persist_mode", json!("async")),
            ("subjects", json!(["orden.orden.>"])),
            ("republish", Value::Null),
        ];
        for (key, value) in drifts {
            let mut drifted = sound.clone();
            drifted.config.insert(key.into(), value);
            let said = judge(&options, &drifted).unwrap_or_default();
            assert!(said.contains(key), "{key}: {said:?}");
        }
    }

    #[test]
    fn a_single_copy_is_taken_when_asked_for() {
        let mut options = Options::new(Vec::new(), "orden");
        options.allow_single_copy = true;
        let single = info(&options);
        assert_eq!(judge(&options, &single), None);
        options.allow_single_copy = false;
        assert!(judge(&options, &single).is_some());
    }

    #[test]
    fn a_deleted_record_is_missed() {
        let mut info = info(&Options::new(Vec::new(), "orden"));
        assert_eq!(losses(&info), None);
        info.state.num_deleted = 1;
        assert!(losses(&info).is_some());
    }
}
