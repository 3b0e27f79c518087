//! How answers are made. Every answer says what a browser may do with it.

use std::io;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// What an answer is made of.
pub(super) type Body = BoxBody<Bytes, io::Error>;
/// An answer.
pub(super) type Answer = Response<Body>;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";

/// Scripts, styles and answers from here and nowhere else, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// An answer with a body.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let whole = Full::new(body.into()).map_err(|never| match never {});
    with_body(status, kind, whole.boxed())
}

/// An answer with any body.
pub(super) fn with_body(status: StatusCode, kind: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(CONTENT_TYPE, kind);
    set(CACHE_CONTROL, "no-store");
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    set(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    answer
}

/// A value as JSON.
pub(super) fn json(value: &impl Serialize) -> Answer {
    json_with(StatusCode::OK, value)
}

/// A value as JSON, under another status.
///
/// # Panics
/// Never: what is shown has numbers and text only.
pub(super) fn json_with(status: StatusCode, value: &impl Serialize) -> Answer {
    let text = serde_json::to_string(value).expect("numbers and text are always JSON");
    answer(status, JSON, text + "\n")
}

/// Why something is not answered, for programs and for people.
#[derive(Debug, Serialize)]
pub(super) struct Complaint<'a> {
    /// The reason, for programs.
    pub(super) error: &'a str,
    /// The reason in words.
    pub(super) text: String,
    /// A number that belongs to the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<u64>,
}

/// An answer that says why there is no other.
pub(super) fn complaint(
    status: StatusCode,
    error: &str,
    text: &(impl ToString + ?Sized),
) -> Answer {
    let text = text.to_string();
    let detail = None;
    json_with(
        status,
        &Complaint {
            error,
            text,
            detail,
        },
    )
}
