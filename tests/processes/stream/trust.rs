//! What a stream must be like, at the start and later.

use std::sync::Arc;

use orden::stream::nats::{Error, Make, Nats};
use orden::stream::{Refusal, Shelf, Stream, StreamEvent};
use orden_kit::programs::nats::NatsServers;

use super::{Tested, options};

/// Asks JetStream for what must work.
#[track_caller]
fn ask(servers: &NatsServers, subject: &str, body: &str) -> serde_json::Value {
    let answer = servers.ask(subject, body).expect("an answer");
    assert!(answer["error"].is_null(), "{answer}");
    answer
}

fn broken(tested: &mut Tested) -> String {
    tested.wait("that it is broken", |event| match event {
        StreamEvent::Broken(why) => Some(why),
        _ => None,
    })
}

#[test]
fn servers_that_take_too_little_are_refused_with_both_remedies() {
    let servers = NatsServers::with(1, "max_payload: 1MB");
    let mut wanted = options(&servers, 1);
    wanted.message_bytes = 4 << 20;
    let error = Nats::start(wanted).unwrap_err();
    assert!(matches!(
        error,
        Error::Payload {
            found: 1_048_576,
            ..
        }
    ));
    let said = error.to_string();
    assert!(
        said.contains("max_payload: ") && said.contains("--max-message-bytes"),
        "{said}"
    );
}

#[test]
fn a_record_that_is_too_large_ends_no_connection() {
    let servers = NatsServers::with(1, "max_payload: 2MB");
    let (mut tested, _) = Tested::start(&servers, 1);
    let record = Arc::new(vec![0; (2 << 20) + 1]);
    tested.stream.append(9, Shelf::Commands, record);
    let why = tested.wait("a refusal", |event| match event {
        StreamEvent::Refused { tag: 9, why } => Some(why),
        _ => None,
    });
    assert_eq!(why, Refusal::TooLarge);
    tested.append_until_there("the next one");
}

#[test]
fn a_stream_that_drifts_is_unfit_until_it_is_mended() {
    let servers = NatsServers::start(1);
    let (mut tested, _) = Tested::start(&servers, 1);
    let info = ask(&servers, "$JS.API.STREAM.INFO.orden_t", "");
    let sound = info["config"].clone();
    let mut drifted = sound.clone();
    drifted["max_age"] = 3_600_000_000_000_u64.into();
    ask(
        &servers,
        "$JS.API.STREAM.UPDATE.orden_t",
        &drifted.to_string(),
    );
    let why = tested.wait("that it is unfit", |event| match event {
        StreamEvent::Unfit(why) => Some(why),
        _ => None,
    });
    assert!(why.contains("max_age"), "{why}");
    ask(
        &servers,
        "$JS.API.STREAM.UPDATE.orden_t",
        &sound.to_string(),
    );
    tested.wait("that it is fit", |event| match event {
        StreamEvent::Fit => Some(()),
        _ => None,
    });
}

#[test]
fn an_unsafe_stream_is_refused_at_the_start() {
    let servers = NatsServers::start(1);
    drop(Tested::start(&servers, 1));
    let mut strict = options(&servers, 1);
    strict.allow_single_copy = false;
    let error = Nats::start(strict).unwrap_err();
    assert!(error.to_string().contains("num_replicas"), "{error}");
    let mut other = options(&servers, 1);
    other.make = Make::Never;
    other.stream = "another".into();
    assert!(matches!(Nats::start(other), Err(Error::NoStream(_))));
}

#[test]
fn a_full_stream_refuses_what_has_no_room() {
    let servers = NatsServers::start(1);
    let (mut tested, _) = Tested::start(&servers, 1);
    let mut config = ask(&servers, "$JS.API.STREAM.INFO.orden_t", "")["config"].clone();
    config["max_bytes"] = 200.into();
    ask(
        &servers,
        "$JS.API.STREAM.UPDATE.orden_t",
        &config.to_string(),
    );
    let tag = tested.append(&[0; 300]);
    let why = tested.wait("a refusal", |event| match event {
        StreamEvent::Refused { tag: of, why } if of == tag => Some(why),
        _ => None,
    });
    assert_eq!(why, Refusal::Full);
}

#[test]
fn a_stream_that_was_made_anew_is_broken() {
    let servers = NatsServers::start(1);
    let (mut tested, _) = Tested::start(&servers, 1);
    tested.append_until_there("lost");
    let config = ask(&servers, "$JS.API.STREAM.INFO.orden_t", "")["config"].clone();
    ask(&servers, "$JS.API.STREAM.DELETE.orden_t", "");
    ask(
        &servers,
        "$JS.API.STREAM.CREATE.orden_t",
        &config.to_string(),
    );
    let why = broken(&mut tested);
    assert!(why.contains("made anew"), "{why}");
}

#[test]
fn a_stream_that_was_deleted_is_broken() {
    let servers = NatsServers::start(1);
    let (mut tested, _) = Tested::start(&servers, 1);
    ask(&servers, "$JS.API.STREAM.DELETE.orden_t", "");
    let why = broken(&mut tested);
    assert!(why.contains("deleted"), "{why}");
}
