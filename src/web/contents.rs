//! The answers that need more than a look at the broker: messages, posting, logging in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue, RETRY_AFTER, SET_COOKIE};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Serialize;
use tokio::time::timeout;

use super::answer::{Answer, Complaint, TEXT, answer, complaint, json, json_with, with_body};
use super::messages::{Unsent, Wanted};
use super::poster::{Outcome, Wish};
use super::query::{BadQuery, Query, number};
use super::routes::{Refusal, Site};
use super::stream::{self, Origin};
use crate::wire::reply::Code;
use crate::wire::{BadName, Name};

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(30);
/// More than a token has.
const LOGIN_BYTES: usize = 4 << 10;
/// The longest claim of a page.
const CLAIM: usize = 64;

impl Site {
    /// Messages from the log, as they come.
    pub(super) fn messages(&self, parts: &Parts) -> Result<Answer, Refusal> {
        let wanted = Wanted::parse(parts).map_err(unsent)?;
        let reader = self.source.reader();
        let kept = reader.extent();
        let next = wanted.begin(&kept).map_err(unsent)?;
        if parts.method == Method::HEAD {
            return Ok(answer(StatusCode::OK, wanted.format.content_type(), ""));
        }
        let Ok(place) = Arc::clone(&self.streams).try_acquire_owned() else {
            let text = "as many read messages as may at a time";
            let mut answer = complaint(StatusCode::SERVICE_UNAVAILABLE, "too_many_readers", text);
            answer
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("5"));
            return Err(Refusal::counted("http_connections", answer));
        };
        let greeting = Greeting {
            log_id: format!("{:016x}", self.source.log_id().0),
            epoch: self.source.epoch().0,
            oldest_order: kept.start.0,
            next_order: kept.end.0,
        };
        let origin = Origin {
            reader: Arc::new(Mutex::new(reader)),
            head: Arc::clone(&self.head),
            end: self.source.end(),
            stopped: self.stopped.clone(),
            until: kept.end,
            greeting: serde_json::to_string(&greeting).expect("numbers and text are always JSON"),
        };
        let stream = stream::start(origin, wanted, next, place);
        Ok(with_body(
            StatusCode::OK,
            wanted.format.content_type(),
            stream.boxed(),
        ))
    }

    /// Has a message ordered.
    pub(super) async fn post(&self, parts: &Parts, body: Incoming) -> Result<Answer, Refusal> {
        let query = Query::parse(parts.uri.query(), &["name", "sequence", "claim"])?;
        let name = name(&query)?;
        let sequence = query.read("sequence", "a number from 1, one more each time", |text| {
            // There is one after it, always.
            number(text).filter(|sequence| (1..u64::MAX).contains(sequence))
        })?;
        let missing = BadQuery::Value("sequence", "a number from 1, one more each time");
        let sequence = sequence.ok_or(missing)?;
        let claim = claim(&query)?;
        self.may_post()?;
        let payload = read(parts, body, self.message_bytes).await?;
        let held = self
            .posting
            .as_ref()
            .and_then(|posting| posting.hold(payload));
        let Some(payload) = held else {
            let text = "as many messages as may wait for their numbers: post it again, under the \
                        same sequence";
            return Err(try_later("too_many_posts", text));
        };
        self.wish(name, claim, Wish::Post { sequence, payload })
            .await
    }

    /// Opens the session of a name, and says with which sequence it goes on.
    pub(super) async fn join(&self, parts: &Parts) -> Result<Answer, Refusal> {
        let query = Query::parse(parts.uri.query(), &["name", "claim"])?;
        let (name, claim) = (name(&query)?, claim(&query)?);
        self.may_post()?;
        self.wish(name, claim, Wish::Join).await
    }

    fn may_post(&self) -> Result<(), Refusal> {
        if self.posting.is_some() {
            return Ok(());
        }
        let text = "this broker knows its members by their keys, and a browser has none: \
                    post with orden-client";
        let refusal = complaint(StatusCode::FORBIDDEN, "keys", text);
        Err(Refusal::counted("http_post", refusal))
    }

    async fn wish(&self, name: Name, claim: Option<String>, wish: Wish) -> Result<Answer, Refusal> {
        let outcome = match &self.posting {
            Some(posting) => posting.ask(name, claim, wish).await,
            None => None,
        };
        match outcome {
            Some(Outcome::Ordered(order)) => Ok(json(&Ordered { order })),
            Some(Outcome::Joined(last_sequence)) => Ok(json(&Joined { last_sequence })),
            Some(Outcome::Refused { code, detail, text }) => Err(refused(code, detail, text)),
            Some(Outcome::NameInUse) => {
                let text = "a program is connected under this name";
                let answer = complaint(StatusCode::CONFLICT, "name_in_use", text);
                Err(Refusal::counted("http_post", answer))
            }
            Some(Outcome::NoAnswer) | None => {
                let text = "no answer in time: post it again, under the same sequence";
                Err(try_later("no_answer", text))
            }
        }
    }

    /// Gives the cookie that shows contents to those who know the token.
    pub(super) async fn login(&self, parts: &Parts, body: Incoming) -> Result<Answer, Refusal> {
        let said = read(parts, body, LOGIN_BYTES).await?;
        let said = str::from_utf8(&said).unwrap_or_default().trim();
        let cookie = self.access.login(said).map_err(|denied| {
            let answer = complaint(StatusCode::FORBIDDEN, denied.reason(), &denied);
            Refusal::counted(denied.reason(), answer)
        })?;
        Ok(with_cookie(&cookie))
    }

    /// Takes the cookie away.
    pub(super) fn logout(&self) -> Answer {
        with_cookie(&self.access.logout())
    }
}

/// Nothing is wrong with the request; the broker has too much to do.
fn try_later(error: &'static str, text: &str) -> Refusal {
    let mut answer = complaint(StatusCode::SERVICE_UNAVAILABLE, error, text);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("1"));
    Refusal::counted("http_post", answer)
}

/// Said to a reader of events first: which log this is, and what there is in it.
#[derive(Serialize)]
struct Greeting {
    log_id: String,
    epoch: u32,
    oldest_order: u64,
    next_order: u64,
}

#[derive(Serialize)]
struct Ordered {
    order: u64,
}

#[derive(Serialize)]
struct Joined {
    last_sequence: u64,
}

fn with_cookie(cookie: &str) -> Answer {
    let mut answer = answer(StatusCode::NO_CONTENT, TEXT, "");
    let value = HeaderValue::from_str(cookie).expect("a token can stand in a header");
    answer.headers_mut().insert(SET_COOKIE, value);
    answer
}

pub(super) fn name(query: &Query) -> Result<Name, BadQuery> {
    let bytes = query.bytes("name").unwrap_or_default();
    Name::new(bytes).map_err(|error| {
        BadQuery::Value(
            "name",
            match error {
                BadName::Empty => "a name",
                BadName::TooLong => "at most 255 bytes",
                BadName::LeadingZero => "a name that does not begin with a zero byte",
                BadName::Reserved => "another name than the broker's own",
            },
        )
    })
}

pub(super) fn claim(query: &Query) -> Result<Option<String>, BadQuery> {
    query.read("claim", "1 to 64 letters and digits", |text| {
        let fits = (1..=CLAIM).contains(&text.len());
        let simple = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (fits && simple).then(|| text.to_owned())
    })
}

/// Reads a body of at most so many bytes.
async fn read(parts: &Parts, body: Incoming, most: usize) -> Result<Bytes, Refusal> {
    let too_large = || {
        let text = format!("at most {most} bytes");
        let mut answer = complaint(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &text);
        // What is left of the body is not read.
        answer
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        Refusal::counted("http_body", answer)
    };
    let announced = hyper::body::Body::size_hint(&body).lower();
    if announced > most as u64 {
        return Err(too_large());
    }
    let collected = timeout(BODY_TIME, Limited::new(body, most).collect()).await;
    match collected {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => {
            log::debug!(
                "http: the body of {} was not read: {error}",
                parts.uri.path()
            );
            let answer = complaint(StatusCode::BAD_REQUEST, "body", "the body ends too early");
            Err(Refusal::counted("http_body", answer))
        }
        Err(_) => {
            let mut answer = complaint(
                StatusCode::REQUEST_TIMEOUT,
                "body",
                "the body takes too long",
            );
            answer
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            Err(Refusal::counted("http_body", answer))
        }
    }
}

fn unsent(why: Unsent) -> Refusal {
    let (status, error, text, detail) = match why {
        Unsent::Bad(error) => return error.into(),
        Unsent::Format => {
            let text = "text/event-stream or application/x-ndjson".to_owned();
            (StatusCode::NOT_ACCEPTABLE, "not_acceptable", text, None)
        }
        Unsent::Trimmed(oldest) => {
            let text = format!("what comes before {oldest} is no longer kept");
            (StatusCode::GONE, "trimmed", text, Some(oldest.0))
        }
        Unsent::Beyond(end) => {
            let text = format!("the order ends before that: the next message gets {end}");
            (StatusCode::CONFLICT, "log_regressed", text, Some(end.0))
        }
    };
    json_with(
        status,
        &Complaint {
            error,
            text,
            detail,
        },
    )
    .into()
}

fn refused(code: Code, detail: u64, text: String) -> Refusal {
    let status = match code {
        Code::SequenceGap | Code::SequenceReused | Code::Superseded => StatusCode::CONFLICT,
        Code::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::LimitReached | Code::Closing => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::FORBIDDEN,
    };
    let error = code.name();
    let detail = Some(detail);
    json_with(
        status,
        &Complaint {
            error,
            text,
            detail,
        },
    )
    .into()
}
