//! Who is answered. A browser asks for whatever any page tells it to, so a request must name this
//! server as its host (DNS rebinding), and come from its own page (foreign origins); contents
//! need the token wherever others than this machine's users could ask for them.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::request::Parts;

use super::token::Token;
use super::{Config, is_exposed};

/// What is asked for, as far as it matters who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Health and figures: for machines, which know neither names nor tokens.
    Open,
    /// The page's own files, and its door.
    Hall,
    /// What is in the order, and who its members are.
    Contents,
}

/// Why somebody is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("one Host, please: this request has none, or two")]
    NoHost,
    #[error("this server does not go by that name: --http-host lists the names it goes by")]
    ForeignHost,
    #[error("pages of other sites are not answered")]
    ForeignOrigin,
    #[error("contents need the token: Authorization: Bearer …, or log in on the page")]
    NoToken,
    #[error("this is not the token")]
    WrongToken,
    #[error("contents are not shown here without a token: start the broker with --http-token")]
    NoTokenSet,
}

impl Denied {
    /// The reason as a counter's key.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::NoHost | Self::ForeignHost => "http_host",
            Self::ForeignOrigin => "http_origin",
            Self::NoToken | Self::WrongToken | Self::NoTokenSet => "http_token",
        }
    }
}

/// A name that no host can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name of a host: write NAME or NAME:PORT")]
pub struct BadHost(String);

/// Who is answered.
#[derive(Debug)]
pub(super) struct Access {
    token: Option<Token>,
    /// In small letters, each with a port or, for any, without.
    hosts: Vec<String>,
    /// Whether contents need the token although none is set.
    needed: bool,
    cookie: String,
}

impl Access {
    pub(super) fn new(config: &Config, address: SocketAddr) -> Result<Self, BadHost> {
        for host in &config.hosts {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
            if host.is_empty() || !host.chars().all(allowed) {
                return Err(BadHost(host.clone()));
            }
        }
        Ok(Self {
            token: config.token.clone(),
            hosts: config
                .hosts
                .iter()
                .map(|host| host.to_ascii_lowercase())
                .collect(),
            // Whoever reaches a broker with keys proves who it is: this must not be the way round.
            needed: config.keys || is_exposed(address),
            // Cookies do not know ports: two brokers of one machine must not share one.
            cookie: format!("orden-{}", address.port()),
        })
    }

    /// Whether a request that has come to `local` is answered.
    pub(super) fn check(&self, parts: &Parts, local: SocketAddr, room: Room) -> Result<(), Denied> {
        if room == Room::Open {
            return Ok(());
        }
        let host = host(parts)?;
        if !self.is_ours(&host, local) {
            return Err(Denied::ForeignHost);
        }
        if let Some(origin) = parts.headers.get(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
            let rest = (origin.strip_prefix("http://")).or_else(|| origin.strip_prefix("https://"));
            if rest != Some(&host) {
                return Err(Denied::ForeignOrigin);
            }
        }
        if room == Room::Hall {
            return Ok(());
        }
        if is_from_elsewhere(&parts.headers) {
            return Err(Denied::ForeignOrigin);
        }
        self.check_token(&parts.headers)
    }

    fn check_token(&self, headers: &HeaderMap) -> Result<(), Denied> {
        let Some(token) = &self.token else {
            return if self.needed {
                Err(Denied::NoTokenSet)
            } else {
                Ok(())
            };
        };
        let bearer = headers.get(AUTHORIZATION).map(|value| {
            let value = value.to_str().unwrap_or_default();
            let (scheme, rest) = value.split_once(' ').unwrap_or_default();
            if scheme.eq_ignore_ascii_case("bearer") {
                rest.trim()
            } else {
                ""
            }
        });
        match bearer.or_else(|| self.cookie_of(headers)) {
            None => Err(Denied::NoToken),
            Some(said) if token.is(said) => Ok(()),
            Some(_) => Err(Denied::WrongToken),
        }
    }

    /// The cookie that shows contents, if `said` is the token.
    pub(super) fn login(&self, said: &str) -> Result<String, Denied> {
        match &self.token {
            Some(token) if token.is(said) => Ok(format!(
                "{}={said}; HttpOnly; SameSite=Strict; Path=/",
                self.cookie
            )),
            Some(_) => Err(Denied::WrongToken),
            None => Err(Denied::NoTokenSet),
        }
    }

    /// The cookie that shows nothing any more.
    pub(super) fn logout(&self) -> String {
        format!(
            "{}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0",
            self.cookie
        )
    }

    fn cookie_of<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(COOKIE).iter();
        let pairs = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'));
        let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
        named
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, value)| value)
    }

    /// Whether a host, in small letters, means this server.
    fn is_ours(&self, host: &str, local: SocketAddr) -> bool {
        let (name, port) = split_port(host);
        if self.hosts.iter().any(|ours| ours == host || ours == name) {
            return true;
        }
        // Without one, a browser means 80.
        if port.unwrap_or(80) != local.port() {
            return false;
        }
        let number = name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        let is_local = number.is_ok_and(|number| number == local.ip().to_canonical());
        is_local || (name == "localhost" && local.ip().to_canonical().is_loopback())
    }
}

/// The one host that a request names, in small letters.
fn host(parts: &Parts) -> Result<String, Denied> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host
            .to_str()
            .map_err(|_| Denied::NoHost)?
            .to_ascii_lowercase(),
        _ => return Err(Denied::NoHost),
    };
    // Said in the request line, too, it must not be another.
    match parts.uri.authority() {
        Some(other) if !other.as_str().eq_ignore_ascii_case(&host) => Err(Denied::NoHost),
        _ => Ok(host),
    }
}

/// Whether a browser says that a page of another site asks: it says no origin where a page only
/// wants to show a picture or run a script.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let site = headers.get(HeaderName::from_static("sec-fetch-site"));
    site.is_some_and(|site| site == "cross-site" || site == "same-site")
}

fn split_port(host: &str) -> (&str, Option<u16>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (host, None),
        },
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    const LOCAL: &str = "127.0.0.1:8080";
    const BEYOND: &str = "192.168.1.5:8080";

    fn access(token: Option<&str>, keys: bool) -> Access {
        access_at(LOCAL, token, keys)
    }

    fn access_at(bound: &str, token: Option<&str>, keys: bool) -> Access {
        let config = Config {
            token: token.map(|token| Token::new(token).unwrap()),
            hosts: vec!["Orden.lan".to_owned()],
            keys,
            ..Config::default()
        };
        Access::new(&config, bound.parse().unwrap()).unwrap()
    }

    fn check(
        access: &Access,
        local: &str,
        room: Room,
        headers: &[(&str, &str)],
    ) -> Result<(), Denied> {
        let mut request = Request::builder().uri("/messages");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        access.check(&parts, local.parse().unwrap(), room)
    }

    #[test]
    fn only_its_own_names_are_answered() {
        let access = access(None, false);
        let asked = |local, host| check(&access, local, Room::Contents, &[("host", host)]);
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST:8080",
            "orden.lan",
            "orden.lan:1",
        ] {
            assert_eq!(asked(LOCAL, host), Ok(()), "{host}");
        }
        for host in [
            "evil.example:8080",
            "127.0.0.1:81",
            "localhost",
            "127.0.0.2:8080",
            "",
            "orden.lan.evil.example",
            "[::1]:8080",
        ] {
            assert_eq!(asked(LOCAL, host), Err(Denied::ForeignHost), "{host}");
        }
        assert_eq!(asked("[::1]:8080", "[::1]:8080"), Ok(()));
        assert_eq!(asked("[::ffff:127.0.0.1]:8080", "127.0.0.1:8080"), Ok(()));
        assert_eq!(
            check(&access, LOCAL, Room::Contents, &[]),
            Err(Denied::NoHost)
        );
        let twice = [("host", "localhost:8080"), ("host", "localhost:8080")];
        assert_eq!(
            check(&access, LOCAL, Room::Hall, &twice),
            Err(Denied::NoHost)
        );
        assert_eq!(
            check(&access, LOCAL, Room::Open, &[("host", "evil.example")]),
            Ok(())
        );
    }

    #[test]
    fn only_its_own_page_is_answered() {
        let access = access(None, false);
        let asked = |name, value| {
            check(
                &access,
                LOCAL,
                Room::Contents,
                &[("host", "localhost:8080"), (name, value)],
            )
        };
        assert_eq!(asked("origin", "http://localhost:8080"), Ok(()));
        assert_eq!(asked("origin", "https://localhost:8080"), Ok(()));
        for origin in [
            "http://evil.example",
            "null",
            "",
            "http://localhost:80801",
            "http://localhost",
        ] {
            assert_eq!(
                asked("origin", origin),
                Err(Denied::ForeignOrigin),
                "{origin}"
            );
        }
        assert_eq!(asked("sec-fetch-site", "same-origin"), Ok(()));
        assert_eq!(asked("sec-fetch-site", "none"), Ok(()));
        assert_eq!(
            asked("sec-fetch-site", "cross-site"),
            Err(Denied::ForeignOrigin)
        );
    }

    #[test]
    fn contents_need_the_token_where_others_could_ask() {
        const SECRET: &str = "0123456789abcdef";
        let asked = |access: &Access, local: &str, headers: &[(&str, &str)]| {
            let host = [("host", local)];
            check(access, local, Room::Contents, &[&host, headers].concat())
        };
        assert_eq!(asked(&access(None, false), LOCAL, &[]), Ok(()));
        assert_eq!(
            asked(&access(None, true), LOCAL, &[]),
            Err(Denied::NoTokenSet)
        );
        assert_eq!(
            asked(&access_at("0.0.0.0:8080", None, false), BEYOND, &[]),
            Err(Denied::NoTokenSet)
        );
        let guarded = access(Some(SECRET), false);
        assert_eq!(asked(&guarded, LOCAL, &[]), Err(Denied::NoToken));
        let bearer = |said: &str| asked(&guarded, BEYOND, &[("authorization", said)]);
        assert_eq!(bearer("Bearer 0123456789abcdef"), Ok(()));
        assert_eq!(bearer("bearer  0123456789abcdef"), Ok(()));
        for said in [
            "Bearer 0123456789abcdeF",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
            "",
        ] {
            assert_eq!(bearer(said), Err(Denied::WrongToken), "{said}");
        }
        let cookie = guarded.login(SECRET).unwrap();
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(
            asked(&guarded, LOCAL, &[("cookie", &format!("a=b; {pair}"))]),
            Ok(())
        );
        assert_eq!(guarded.login("0123456789abcdeF"), Err(Denied::WrongToken));
    }
}
