//! Reads a request as far as that goes without a broker, for tests that try bytes that nobody has
//! thought of.

use std::net::SocketAddr;

use hyper::Request;
use hyper::http::request::Parts;

use super::access::Access;
use super::contents::{claim, name};
use super::messages::Wanted;
use super::query::{Query, decode, encode};
use super::routes::{Place, members_query};
use super::{Config, Token};

/// What contents are shown for.
const TOKEN: &str = "0123456789abcdef";

/// Reads a request line without its version, and headers, a line each. Whether any reader of this
/// server's makes sense of it.
///
/// # Panics
/// If a reader contradicts itself: that is what is looked for.
#[doc(hidden)]
#[must_use]
pub fn try_request(bytes: &[u8]) -> bool {
    let Some(parts) = parts(bytes) else {
        return false;
    };
    let path = parts.uri.path();
    assert_eq!(decode(&encode(path.as_bytes())), path.as_bytes());
    let Some(place) = Place::of(path) else {
        return false;
    };
    let local = SocketAddr::from(([127, 0, 0, 1], 8080));
    let config = Config {
        token: Token::new(TOKEN).ok(),
        ..Config::default()
    };
    let access = Access::new(&config, local).expect("no host is named");
    let is_admitted = access.check(&parts, local, place.room()).is_ok();
    let query = Query::parse(parts.uri.query(), &["name", "sequence", "claim"]);
    let is_post = query.is_ok_and(|query| name(&query).is_ok() && claim(&query).is_ok());
    let is_read = Wanted::parse(&parts).is_ok() || members_query(&parts).is_ok() || is_post;
    is_admitted && is_read
}

fn parts(bytes: &[u8]) -> Option<Parts> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mut words = lines.next()?.splitn(2, |byte| *byte == b' ');
    let mut request = Request::builder().method(words.next()?).uri(words.next()?);
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], line[colon + 1..].trim_ascii());
    }
    Some(request.body(()).ok()?.into_parts().0)
}
