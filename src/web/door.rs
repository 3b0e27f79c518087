//! Who answers: at first only that the broker does not listen yet, as reading a large log takes its
//! time and a probe must not take that for an end; then the site.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Request, StatusCode};

use super::answer::{Answer, TEXT, answer, complaint};
use super::routes::Site;
use crate::admin::report::Unready;

/// See the module.
#[derive(Default)]
pub(super) struct Door(OnceLock<Arc<Site>>);

impl Door {
    /// From now on the site answers.
    pub(super) fn open(&self, site: Arc<Site>) {
        self.0.get_or_init(|| site);
    }

    /// Answers a request of `peer`, which has come to `local`.
    pub(super) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Answer {
        match self.0.get() {
            Some(site) => site.answer(request, peer, local).await,
            None => early(request.uri().path()),
        }
    }

    /// Counts something that was refused, once there is a site to count it.
    pub(super) fn refused(&self, reason: &'static str, what: &str) {
        match self.0.get() {
            Some(site) => site.refused(reason, what),
            None => log::debug!("http, refused ({reason}): {what}"),
        }
    }
}

/// Nothing of this depends on who asks.
fn early(path: &str) -> Answer {
    let why = Unready::NotListening;
    let mut answer = match path {
        "/healthz" => return answer(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
        _ => complaint(StatusCode::SERVICE_UNAVAILABLE, "not_listening", &why),
    };
    let soon = HeaderValue::from_static("1");
    answer.headers_mut().insert(RETRY_AFTER, soon);
    answer
}
