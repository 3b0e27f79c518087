//! Health, status and members, and what a broker without HTTP does not have.

use std::fs;

use orden_kit::poll;
use orden_kit::programs::broker::Broker;
use serde_json::Value;

use super::asking::{ask, get};
use super::{HTTP, broker};
use crate::security::stage::Peer;

fn threads(broker: &Broker) -> Vec<String> {
    let pid = broker.program().pid().as_raw_nonzero();
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap();
    tasks
        .map(|task| name(task.unwrap()).trim().to_owned())
        .collect()
}

#[test]
fn a_broker_that_is_not_asked_for_it_has_none_of_it() {
    // A thread gives itself its name once it runs.
    let named = |broker: &Broker, count: usize| {
        let names = threads(broker);
        let unnamed = names.iter().filter(|name| *name == "orden-broker");
        (unnamed.count() <= count).then_some(names)
    };
    let broker = Broker::in_memory(&[]);
    let without = poll(|| named(&broker, 1), "names of threads");
    assert!(
        !without.iter().any(|name| name.starts_with("http")),
        "{without:?}"
    );
    let broker = Broker::in_memory(HTTP);
    let with = poll(|| named(&broker, 1), "names of threads");
    assert!(with.contains(&"http".to_owned()), "{with:?}");
}

#[test]
fn it_says_how_it_is() {
    let broker = broker();
    let http = broker.http_address();
    assert_eq!(get(http, "/healthz").text(), "ok\n");
    assert_eq!(get(http, "/readyz").text(), "ready\n");
    let peer = Peer::join(&broker, "ana", None);
    peer.say("ana: hola");
    let order = peer.hear_until("ana: hola");
    let status = get(http, "/status");
    assert!(status.head.contains("content-type: application/json"));
    let status = status.json();
    assert_eq!(status["next_order"], order + 1);
    assert_eq!(status["oldest_order"], 0);
    assert_eq!(status["epoch"], 1);
    assert_eq!(status["ordered"], 1);
    assert_eq!(status["members"]["present"], 1);
    assert_eq!(status["log_id"].as_str().map(str::len), Some(16));
    assert!(status["log"]["bytes"].as_u64() > Some(0));
    assert!(status["log"]["free_bytes"].as_u64() > Some(0));
    let head = ask(http, "HEAD /status", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(get(http, "/nothing").status, 404);
    let wrong = ask(http, "DELETE /status", &[], b"");
    assert_eq!(wrong.status, 405);
    assert!(wrong.head.contains("allow: get, head"), "{}", wrong.head);
    let (end, _) = broker.stop();
    assert_eq!(end.code(), Some(0));
}

fn names(page: &Value) -> Vec<&str> {
    let members = page["members"].as_array().unwrap().iter();
    members
        .map(|member| member["name"].as_str().unwrap())
        .collect()
}

#[test]
fn members_come_in_pages() {
    let broker = Broker::in_memory(HTTP);
    let http = broker.http_address();
    let peers: Vec<_> = (0..7)
        .map(|number| {
            let peer = Peer::join(&broker, &format!("m{number}"), None);
            peer.say(&format!("m{number}: here"));
            peer.hear_until(&format!("m{number}: here"));
            peer
        })
        .collect();
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = get(http, &format!("/members?limit=3{after}")).json();
        assert_eq!(page["total"], 7);
        assert!(names(&page).len() <= 3);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    // Everybody has read up to its own line only: who came first is furthest behind.
    let furthest = || {
        let page = get(http, "/members?sort=lag&limit=2").json();
        let found: Vec<_> = names(&page).into_iter().map(str::to_owned).collect();
        (found == ["m0", "m1"]).then_some(page)
    };
    let page = poll(furthest, "the order of lags");
    assert!(page["members"][0]["lag"].as_u64() > page["members"][1]["lag"].as_u64());
    let rest = format!("/members?sort=lag&after={}", page["next"].as_str().unwrap());
    assert_eq!(
        names(&get(http, &rest).json()),
        ["m2", "m3", "m4", "m5", "m6"]
    );
    // After one that has left it begins anew, so that no member is left out.
    let anew = get(http, "/members?sort=lag&after=gone&limit=2").json();
    assert_eq!(names(&anew), ["m0", "m1"]);
    let one = get(http, "/members/m3").json();
    assert_eq!(one["dialect"], "binary");
    assert_eq!(one["present"], true);
    assert_eq!(get(http, "/members/nobody").status, 404);
    for bad in ["limit=0", "limit=1001", "sort=size", "limt=3", "after="] {
        assert_eq!(get(http, &format!("/members?{bad}")).status, 400, "{bad}");
    }
    drop(peers);
}
