//! Which address is answered by what.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CONNECTION, HeaderValue, TRANSFER_ENCODING, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use super::access::{Access, Denied, Room};
use super::answer::{Answer, TEXT, answer, complaint, json};
use super::metrics::{self, OPEN_METRICS, PROMETHEUS};
use super::page::{self, File};
use super::posting::Posting;
use super::query::{self, BadQuery, Query};
use super::seam::Source;
use super::stream::SharedReader;
use super::{Config, STREAMS};
use crate::admin::report::{MembersPage, MembersQuery, Sort, Status};
use crate::display::Escaped;
use crate::wire::Name;

/// Members on a page if nothing else is asked for, and at most.
const MEMBERS: usize = 100;
const MEMBERS_MOST: usize = 1000;
/// How often refusals are logged at most.
const COMPLAIN_EVERY: Duration = Duration::from_secs(1);

/// Everything that can be asked for.
pub(super) struct Site {
    pub(super) source: Arc<dyn Source>,
    pub(super) access: Access,
    /// A way into the order; `None` where keys say who may.
    pub(super) posting: Option<Posting>,
    /// The reader that streams at the head share.
    pub(super) head: SharedReader,
    /// Room for streams.
    pub(super) streams: Arc<Semaphore>,
    pub(super) stopped: watch::Receiver<()>,
    pub(super) message_bytes: usize,
    refusals: Mutex<Refusals>,
}

/// What was refused here, by reason, and when the log was last told.
#[derive(Default)]
struct Refusals {
    counts: BTreeMap<&'static str, u64>,
    said: Option<Instant>,
    unsaid: u64,
}

/// An answer that is none of those asked for.
pub(super) struct Refusal {
    /// Under what it is counted, if it is.
    reason: Option<&'static str>,
    answer: Box<Answer>,
}

/// What an address leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Health,
    Readiness,
    Metrics,
    Status,
    Members,
    Member(Vec<u8>),
    Messages,
    Sessions,
    Login,
    Logout,
    File(&'static File),
}

impl Place {
    pub(super) fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/healthz" => Self::Health,
            "/readyz" => Self::Readiness,
            "/metrics" => Self::Metrics,
            "/status" => Self::Status,
            "/members" => Self::Members,
            "/messages" => Self::Messages,
            "/sessions" => Self::Sessions,
            "/login" => Self::Login,
            "/logout" => Self::Logout,
            _ => {
                if let Some(file) = page::file(path) {
                    return Some(Self::File(file));
                }
                let name = path.strip_prefix("/members/")?;
                let is_one = !name.is_empty() && !name.contains('/');
                is_one.then(|| Self::Member(query::decode(name)))?
            }
        })
    }

    pub(super) fn room(&self) -> Room {
        match self {
            Self::Health | Self::Readiness | Self::Metrics => Room::Open,
            Self::Login | Self::Logout | Self::File(_) => Room::Hall,
            Self::Status | Self::Members | Self::Member(_) | Self::Messages | Self::Sessions => {
                Room::Contents
            }
        }
    }

    fn methods(&self) -> &'static [Method] {
        match self {
            Self::Messages => &[Method::GET, Method::HEAD, Method::POST],
            Self::Sessions | Self::Login | Self::Logout => &[Method::POST],
            _ => &[Method::GET, Method::HEAD],
        }
    }
}

impl Site {
    pub(super) fn new(
        source: Arc<dyn Source>,
        access: Access,
        config: &Config,
        stopped: watch::Receiver<()>,
    ) -> Self {
        let in_process = source.in_process().filter(|_| !config.keys);
        Self {
            posting: in_process
                .map(|way| Posting::start(way, Arc::clone(&source), config.message_bytes)),
            head: Arc::new(Mutex::new(source.reader())),
            streams: Arc::new(Semaphore::new(STREAMS)),
            source,
            access,
            stopped,
            message_bytes: config.message_bytes,
            refusals: Mutex::default(),
        }
    }

    /// Answers a request of `peer`, which has come to `local`.
    pub(super) async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> Answer {
        let (parts, body) = request.into_parts();
        let answered = match self.admit(&parts, local) {
            Ok(place) => self.visit(place, &parts, body).await,
            Err(refusal) => Err(refusal),
        };
        answered.unwrap_or_else(|Refusal { reason, answer }| {
            if let Some(reason) = reason {
                let path = Escaped::text(parts.uri.path().as_bytes()).to_string();
                let (method, status) = (&parts.method, answer.status());
                self.refused(reason, &format!("{peer}: {method} {path:.100}: {status}"));
            }
            *answer
        })
    }

    /// Looks at everything that can be said before a body is read.
    fn admit(&self, parts: &Parts, local: SocketAddr) -> Result<Place, Refusal> {
        // A body whose length is not said is what requests are smuggled in; nobody needs one here.
        if parts.headers.contains_key(TRANSFER_ENCODING) {
            let text = "say the length of the body: Content-Length";
            let mut answer = complaint(StatusCode::LENGTH_REQUIRED, "length_required", text);
            answer
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            return Err(Refusal::counted("http_body", answer));
        }
        let Some(place) = Place::of(parts.uri.path()) else {
            // Also a stranger learns no more than that.
            let answer = complaint(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing at this address",
            );
            return Err(answer.into());
        };
        let checked = self.access.check(parts, local, place.room());
        checked.map_err(|denied| Refusal::counted(denied.reason(), turned_away(denied)))?;
        let methods = place.methods();
        if !methods.contains(&parts.method) {
            let names: Vec<_> = methods.iter().map(Method::as_str).collect();
            let names = names.join(", ");
            let mut answer =
                complaint(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &names);
            let value = HeaderValue::from_str(&names).expect("names of methods");
            answer.headers_mut().insert(ALLOW, value);
            return Err(answer.into());
        }
        Ok(place)
    }

    async fn visit(
        self: &Arc<Self>,
        place: Place,
        parts: &Parts,
        body: Incoming,
    ) -> Result<Answer, Refusal> {
        Ok(match place {
            Place::Health if self.source.is_alive() => answer(StatusCode::OK, TEXT, "ok\n"),
            Place::Health => answer(
                StatusCode::SERVICE_UNAVAILABLE,
                TEXT,
                "a thread has ended\n",
            ),
            Place::Readiness => match self.source.unready() {
                None => answer(StatusCode::OK, TEXT, "ready\n"),
                Some(why) => answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
            },
            Place::Metrics => {
                let open = wants_open_metrics(parts);
                self.ask(move |site| {
                    let text = metrics::render(&site.status(), open);
                    answer(
                        StatusCode::OK,
                        if open { OPEN_METRICS } else { PROMETHEUS },
                        text,
                    )
                })
                .await
            }
            Place::Status => self.ask(|site| json(&site.status())).await,
            Place::Members => {
                let query = members_query(parts)?;
                self.ask(move |site| json(&page(&site.source.members(&query))))
                    .await
            }
            Place::Member(name) => self.ask(move |site| site.member(&name)).await,
            Place::Messages if parts.method == Method::POST => self.post(parts, body).await?,
            Place::Messages => self.messages(parts)?,
            Place::Sessions => self.join(parts).await?,
            Place::Login => self.login(parts, body).await?,
            Place::Logout => self.logout(),
            Place::File(file) => file.answer(),
        })
    }

    /// Asks something that may take as long as a look at all members.
    async fn ask(
        self: &Arc<Self>,
        question: impl FnOnce(&Self) -> Answer + Send + 'static,
    ) -> Answer {
        let site = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || question(&site)).await;
        asked.unwrap_or_else(|error| {
            log::error!("http: {error}");
            complaint(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "see the broker's log",
            )
        })
    }

    fn member(&self, name: &[u8]) -> Answer {
        let member = Name::new(name)
            .ok()
            .and_then(|name| self.source.member(&name));
        match member {
            Some(member) => json(&member),
            None => complaint(
                StatusCode::NOT_FOUND,
                "no_member",
                "there is no member of this name",
            ),
        }
    }

    /// What the broker shows, and what was refused here.
    fn status(&self) -> Status {
        let mut status = self.source.status();
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        status.refused.extend(&refusals.counts);
        status
    }

    /// Counts something that was refused, and logs it unless there was one just now.
    pub(super) fn refused(&self, reason: &'static str, what: &str) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.counts.entry(reason).or_default() += 1;
        let now = Instant::now();
        if refusals
            .said
            .is_some_and(|said| now < said + COMPLAIN_EVERY)
        {
            refusals.unsaid += 1;
            return;
        }
        refusals.said = Some(now);
        match std::mem::take(&mut refusals.unsaid) {
            0 => log::warn!("http, refused ({reason}): {what}"),
            unsaid => log::warn!("http, refused ({reason}): {what}; {unsaid} more before"),
        }
    }
}

fn turned_away(denied: Denied) -> Answer {
    let status = match denied {
        Denied::NoHost => StatusCode::BAD_REQUEST,
        Denied::ForeignHost => StatusCode::MISDIRECTED_REQUEST,
        Denied::ForeignOrigin | Denied::NoTokenSet => StatusCode::FORBIDDEN,
        Denied::NoToken | Denied::WrongToken => StatusCode::UNAUTHORIZED,
    };
    let mut answer = complaint(status, denied.reason(), &denied);
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        answer.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    answer
}

impl Refusal {
    /// One that is counted, and logged now and then.
    pub(super) fn counted(reason: &'static str, answer: Answer) -> Self {
        Self {
            reason: Some(reason),
            answer: Box::new(answer),
        }
    }
}

impl From<Answer> for Refusal {
    fn from(answer: Answer) -> Self {
        Self {
            reason: None,
            answer: Box::new(answer),
        }
    }
}

impl From<BadQuery> for Refusal {
    fn from(error: BadQuery) -> Self {
        complaint(StatusCode::BAD_REQUEST, "bad_query", &error).into()
    }
}

pub(super) fn members_query(parts: &Parts) -> Result<MembersQuery, BadQuery> {
    let query = Query::parse(parts.uri.query(), &["sort", "limit", "after"])?;
    let sort = query.read("sort", "name or lag", |text| match text {
        "name" => Some(Sort::Name),
        "lag" => Some(Sort::Lag),
        _ => None,
    })?;
    let limit = query.read("limit", "a number from 1 to 1000", |text| {
        let limit = usize::try_from(query::number(text)?).ok()?;
        (1..=MEMBERS_MOST).contains(&limit).then_some(limit)
    })?;
    let after = query
        .bytes("after")
        .map(|bytes| Name::new(bytes).map_err(|_| BadQuery::Value("after", "a member's name")));
    Ok(MembersQuery {
        sort: sort.unwrap_or(Sort::Name),
        limit: limit.unwrap_or(MEMBERS),
        after: after.transpose()?,
    })
}

fn wants_open_metrics(parts: &Parts) -> bool {
    let accepted = parts.headers.get_all(ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("application/openmetrics-text"))
}

/// A page of members, with what to ask for `after` as it stands in an address.
#[derive(Serialize)]
struct Page<'a> {
    #[serde(flatten)]
    listed: &'a MembersPage,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

fn page(page: &MembersPage) -> Page<'_> {
    let next = page.next.as_ref();
    Page {
        listed: page,
        next: next.map(|name| query::encode(name.as_bytes())),
    }
}
