//! The token, and what is shown without it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use orden_kit::programs::broker::{Broker, command, run};

use super::HTTP;
use super::asking::{ask, get};

/// Writes a token file; gives its path.
pub(crate) fn write(directory: &Path, text: &str, mode: u32) -> String {
    let path = directory.join("token");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn contents_are_for_those_who_know_it_and_figures_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let token = write(directory.path(), "0123456789abcdef\n", 0o600);
    let broker = Broker::in_memory(&[HTTP, &["--http-token", &token]].concat());
    let http = broker.http_address();
    for open in ["/healthz", "/readyz", "/metrics", "/"] {
        assert_eq!(get(http, open).status, 200, "{open}");
    }
    for closed in ["/status", "/members", "/members/ana", "/messages?follow=0"] {
        let answer = get(http, closed);
        assert_eq!(answer.status, 401, "{closed}");
        assert!(
            answer.head.contains("www-authenticate: bearer"),
            "{}",
            answer.head
        );
        let wrong = ask(
            http,
            &format!("GET {closed}"),
            &["Authorization: Bearer x"],
            b"",
        );
        assert_eq!(wrong.status, 401, "{closed}");
        let right = ["Authorization: Bearer 0123456789abcdef"];
        let right = ask(http, &format!("GET {closed}"), &right, b"");
        assert!(right.status == 200 || closed == "/members/ana", "{closed}");
    }
    assert_eq!(
        ask(http, "POST /login", &[], b"0123456789abcdeX").status,
        403
    );
    let login = ask(http, "POST /login", &[], b"0123456789abcdef");
    assert_eq!(login.status, 204);
    let cookie = login
        .head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "))
        .unwrap();
    assert!(
        cookie.contains("httponly") && cookie.contains("samesite=strict"),
        "{cookie}"
    );
    let cookie = format!("Cookie: a=b; {}", cookie.split(';').next().unwrap());
    assert_eq!(ask(http, "GET /status", &[&cookie], b"").status, 200);
    // A page of another site has the cookie sent, too, by older browsers.
    let foreign = [&cookie[..], "Origin: http://evil.example"];
    assert_eq!(ask(http, "GET /status", &foreign, b"").status, 403);
}

#[test]
fn beyond_this_machine_contents_need_it() {
    let flags = ["--http-address", "0.0.0.0:0", "--http-host", "orden.lan"];
    let broker = Broker::in_memory(&flags);
    let port = broker.http_address().rsplit_once(':').unwrap().1;
    let http = format!("127.0.0.1:{port}");
    assert_eq!(get(&http, "/metrics").status, 200);
    let status = get(&http, "/status");
    assert_eq!(
        (status.status, status.json()["error"].as_str()),
        (403, Some("http_token"))
    );
    assert!(broker.program().complaints().contains("--http-token"));
}

#[test]
fn a_file_that_holds_none_is_wrong_usage() {
    let directory = tempfile::tempdir().unwrap();
    for (text, mode, why) in [
        ("0123456789abcdef", 0o644, "others may read"),
        ("short", 0o600, "16 to 1024 characters"),
        ("0123456789 abcdef", 0o600, "letters, digits"),
    ] {
        let token = write(directory.path(), text, mode);
        let mut broker = command();
        broker.args([
            "--address",
            "127.0.0.1:0",
            "--in-memory",
            "--http-address",
            "127.0.0.1:0",
        ]);
        let end = run(broker.args(["--http-token", &token]));
        assert_eq!(end.code(), Some(1), "{}", end.complaint);
        assert!(end.complaint.contains(why), "{}", end.complaint);
        assert!(end.complaint.contains("hint: "), "{}", end.complaint);
    }
}
