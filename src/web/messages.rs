//! `GET /messages`: what is asked for, and where it begins.

use std::ops::Range;

use hyper::header::{ACCEPT, HeaderMap};
use hyper::http::request::Parts;

use super::query::{BadQuery, Query, number};
use crate::wire::OrderNumber;

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `text/event-stream`: the id of an event is the order number.
    Events,
    /// `application/x-ndjson`: a line of JSON each.
    Lines,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }

    /// What is asked for, if it can be had; lines if nothing is said.
    fn accepted(headers: &HeaderMap) -> Option<Self> {
        let accepted: Vec<_> = (headers.get_all(ACCEPT).iter())
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|kind| {
                kind.split(';')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_ascii_lowercase()
            })
            .collect();
        if accepted.is_empty() {
            return Some(Self::Lines);
        }
        accepted.iter().find_map(|kind| match kind.as_str() {
            "text/event-stream" | "text/*" => Some(Self::Events),
            "application/x-ndjson" | "application/*" | "*/*" => Some(Self::Lines),
            _ => None,
        })
    }
}

/// Where messages begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Now,
    Start,
    At(OrderNumber),
    Last(u64),
    /// After the last event that a browser has had.
    After(OrderNumber),
}

/// Which messages are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) format: Format,
    from: From,
    /// At most so many.
    pub(super) count: Option<u64>,
    /// Whether those that are yet to come, too.
    pub(super) follow: bool,
}

/// Why messages are not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unsent {
    Bad(BadQuery),
    /// Neither of the two formats is accepted.
    Format,
    /// They are no longer kept: these are the oldest.
    Trimmed(OrderNumber),
    /// The order ends before what was had already.
    Beyond(OrderNumber),
}

impl Wanted {
    /// Reads a request.
    pub(super) fn parse(parts: &Parts) -> Result<Self, Unsent> {
        let query = Query::parse(parts.uri.query(), &["from", "count", "follow"]);
        let query = query.map_err(Unsent::Bad)?;
        let from = query.read("from", "now, start, N or last:N", from);
        let count = query.read("count", "a number from 1", |text| {
            number(text).filter(|&count| count > 0)
        });
        let follow = query.read("follow", "true or false", |text| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        });
        let after = last_event(&parts.headers).map_err(Unsent::Bad)?;
        let asked = from.map_err(Unsent::Bad)?.unwrap_or(From::Now);
        Ok(Self {
            format: Format::accepted(&parts.headers).ok_or(Unsent::Format)?,
            // A browser that comes back asks the same as before, and says how far it got.
            from: after.map_or(asked, From::After),
            count: count.map_err(Unsent::Bad)?,
            follow: follow.map_err(Unsent::Bad)?.unwrap_or(true),
        })
    }

    /// The first number to send, of a log that holds `kept`; behind a gap if events can tell of
    /// one.
    pub(super) fn begin(&self, kept: &Range<OrderNumber>) -> Result<OrderNumber, Unsent> {
        let (oldest, end) = (kept.start, kept.end);
        let next = match self.from {
            From::Now => end,
            From::Start => oldest,
            From::Last(count) => OrderNumber(end.0.saturating_sub(count)).max(oldest),
            From::At(order) => order,
            From::After(order) => OrderNumber(order.0.saturating_add(1)),
        };
        if next > end {
            return Err(Unsent::Beyond(end));
        }
        // A browser takes an error for the end of it all, and would not come back.
        if next < oldest && self.format == Format::Lines {
            return Err(Unsent::Trimmed(oldest));
        }
        Ok(next)
    }
}

fn from(text: &str) -> Option<From> {
    match (text, text.strip_prefix("last:")) {
        ("now", _) => Some(From::Now),
        ("start", _) => Some(From::Start),
        (_, Some(count)) => number(count).map(From::Last),
        _ => number(text).map(|order| From::At(OrderNumber(order))),
    }
}

fn last_event(headers: &HeaderMap) -> Result<Option<OrderNumber>, BadQuery> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(None);
    };
    match value.to_str().ok() {
        Some("") => Ok(None),
        text => match text.and_then(number) {
            Some(order) => Ok(Some(OrderNumber(order))),
            None => Err(BadQuery::Value("Last-Event-ID", "an order number")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn wanted(query: &str, headers: &[(&str, &str)]) -> Result<Wanted, Unsent> {
        let mut request = Request::builder().uri(format!("/messages?{query}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Wanted::parse(&request.body(()).unwrap().into_parts().0)
    }

    fn begin(query: &str, headers: &[(&str, &str)]) -> Result<u64, Unsent> {
        let kept = OrderNumber(10)..OrderNumber(20);
        wanted(query, headers)?.begin(&kept).map(|order| order.0)
    }

    const EVENTS: (&str, &str) = ("accept", "text/event-stream");

    #[test]
    fn where_it_begins() {
        assert_eq!(begin("", &[]), Ok(20));
        assert_eq!(begin("from=now", &[]), Ok(20));
        assert_eq!(begin("from=start", &[]), Ok(10));
        assert_eq!(begin("from=15", &[]), Ok(15));
        assert_eq!(begin("from=20", &[]), Ok(20));
        assert_eq!(begin("from=last:3", &[]), Ok(17));
        assert_eq!(begin("from=last:300", &[]), Ok(10));
        assert_eq!(begin("from=21", &[]), Err(Unsent::Beyond(OrderNumber(20))));
        assert_eq!(begin("from=9", &[]), Err(Unsent::Trimmed(OrderNumber(10))));
    }

    #[test]
    fn a_browser_goes_on_where_it_was() {
        let last = |id| begin("from=start", &[EVENTS, ("last-event-id", id)]);
        assert_eq!(last("15"), Ok(16));
        assert_eq!(last("19"), Ok(20));
        assert_eq!(last("3"), Ok(4), "it is told of the gap");
        assert_eq!(last("20"), Err(Unsent::Beyond(OrderNumber(20))));
        assert_eq!(last(""), Ok(10));
        assert!(matches!(last("x"), Err(Unsent::Bad(_))));
        assert!(matches!(
            last("18446744073709551615"),
            Err(Unsent::Beyond(_))
        ));
    }

    #[test]
    fn how_it_is_written() {
        let format = |accept| wanted("", &[("accept", accept)]).map(|wanted| wanted.format);
        assert_eq!(wanted("", &[]).unwrap().format, Format::Lines);
        assert_eq!(format("*/*"), Ok(Format::Lines));
        assert_eq!(format("application/x-ndjson"), Ok(Format::Lines));
        assert_eq!(format("text/event-stream"), Ok(Format::Events));
        assert_eq!(
            format("text/html, text/event-stream;q=0.9"),
            Ok(Format::Events)
        );
        assert_eq!(format("image/png"), Err(Unsent::Format));
        for bad in [
            "from=yesterday",
            "count=0",
            "count=-1",
            "follow=maybe",
            "form=1",
            "from=last:",
        ] {
            assert!(matches!(wanted(bad, &[]), Err(Unsent::Bad(_))), "{bad}");
        }
    }
}
