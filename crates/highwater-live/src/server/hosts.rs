//! The names under which the server may be asked for.
//!
//! A page of anybody's site can have its own name lead to this machine and then talk to what
//! listens here, as if to its own server. So the server answers only to names that lead here
//! whoever asks, `localhost` and those below it, to loopback addresses and to the address that was
//! connected to, and to what its operator allows. Names that only look private do not count: who
//! answers for `.local`, `.internal` or a name without a dot is up to whatever network one is in.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Request, StatusCode, Version, header};

/// Reason why a request is not answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the request does not name one host")]
    Unnamed,
    #[error("this server does not answer to {0}, unless it is allowed, as by --allowed-host {0}")]
    Unknown(String),
}

impl Refused {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Unnamed => StatusCode::BAD_REQUEST,
            Self::Unknown(_) => StatusCode::MISDIRECTED_REQUEST,
        }
    }
}

/// Checks whom a request is for; every host is all right when there is no list of allowed ones.
pub(super) fn check<B>(
    request: &Request<B>,
    local: IpAddr,
    allowed: Option<&[String]>,
) -> Result<(), Refused> {
    let Some(allowed) = allowed else { return Ok(()) };
    let named = of_header(request.headers())?;
    // A proxy's form of a request names a host in its target, too.
    let target = request.uri().authority();
    if named.is_none() && target.is_none() && request.version() > Version::HTTP_10 {
        return Err(Refused::Unnamed);
    }
    for authority in named.iter().chain(target) {
        let name = plain(authority.host());
        if authority.as_str().contains('@') || !is_known(&name, local, allowed) {
            return Err(Refused::Unknown(name));
        }
    }
    Ok(())
}

fn of_header(headers: &HeaderMap) -> Result<Option<Authority>, Refused> {
    let mut named = headers.get_all(header::HOST).iter();
    match (named.next(), named.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => {
            Authority::try_from(one.as_bytes()).map(Some).map_err(|_| Refused::Unnamed)
        }
        (Some(_), Some(_)) => Err(Refused::Unnamed),
    }
}

/// The name in small letters, without the dot that may end it.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_lowercase()
}

fn is_known(name: &str, local: IpAddr, allowed: &[String]) -> bool {
    let known = match address(name) {
        Some(address) => address.is_loopback() || address == local.to_canonical(),
        None => name == "localhost" || name.ends_with(".localhost"),
    };
    known || allowed.iter().any(|one| is_same(&plain(one), name))
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || address(one).is_some_and(|one| Some(one) == address(other))
}

/// The address that is written instead of a name, of IPv6 in brackets.
fn address(name: &str) -> Option<IpAddr> {
    let v6 = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address: IpAddr = v6.unwrap_or(name).parse().ok()?;
    (address.is_ipv6() == v6.is_some()).then(|| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 1, 5));

    fn checked(hosts: &[&str]) -> Result<(), Refused> {
        let mut request = Request::get("/");
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let allowed = ["events.shop.com".to_owned(), "10.0.0.9".to_owned(), "[fd00::1]".to_owned()];
        check(&request.body(()).unwrap(), HERE, Some(&allowed))
    }

    #[test]
    fn loopback_names_and_addresses_the_own_address_and_what_is_allowed_are_answered() {
        for host in [
            "localhost:6001",
            "LOCALHOST",
            "app.localhost:6001",
            "localhost.",
            "127.0.0.1:6001",
            "127.1.2.3",
            "[::1]:6001",
            "[::ffff:127.0.0.1]",
            "192.168.1.5:80",
            "10.0.0.9",
            "[fd00:0::1]:6001",
            "Events.Shop.com.:80",
        ] {
            assert_eq!(checked(&[host]), Ok(()), "{host}");
        }
    }

    #[test]
    fn names_that_anybody_can_have_lead_here_are_not() {
        for host in [
            "evil.com",
            "evil.com:6001",
            "localhost.evil.com",
            "127.0.0.1.nip.io",
            "a.b.",
            "app",
            "app:80",
            "test",
            "ada.local",
            "host.docker.internal",
            "a.test",
            "a.example",
            "a.invalid",
            "xlocalhost",
            "10.0.0.7",
            "0.0.0.0:6001",
            "[::]",
            "[::2]",
            "2130706433",
            "127.1",
            "ada@localhost",
            "sub.events.shop.com",
            "localhost..",
            "::1",
        ] {
            assert!(checked(&[host]).is_err(), "{host}");
        }
        assert_eq!(checked(&["evil.com"]), Err(Refused::Unknown("evil.com".to_owned())));
    }

    #[test]
    fn a_request_names_one_host_in_its_header_and_its_target() {
        assert_eq!(checked(&[]), Err(Refused::Unnamed));
        assert_eq!(checked(&["localhost", "localhost"]), Err(Refused::Unnamed));
        assert_eq!(checked(&["a b"]), Err(Refused::Unnamed));
        let check = |target: &str, host: &str| {
            let request = Request::get(target).header(header::HOST, host).body(()).unwrap();
            super::check(&request, HERE, Some(&[]))
        };
        assert_eq!(check("http://localhost/x", "localhost"), Ok(()));
        assert!(check("http://evil.com/x", "localhost").is_err());
        assert!(check("http://localhost/x", "evil.com").is_err());
        let old = Request::get("/").version(Version::HTTP_10).body(()).unwrap();
        assert_eq!(super::check(&old, HERE, Some(&[])), Ok(()));
    }
}
