//! Pages of which origins may connect.
//!
//! Browsers enforce CORS for requests, but open WebSockets for any page; so the origin is
//! checked for every request. Programs send none, and are left to the authenticator.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::Refusal;
use crate::hub::LiveState;

pub(super) async fn check(
    State(hub): State<Arc<LiveState>>,
    request: Request,
    next: Next,
) -> Response {
    if is_allowed(request.headers(), host(&request), &hub.options.allowed_origins) {
        next.run(request).await
    } else {
        Refusal::Origin.into_response()
    }
}

/// Whom the request is for; HTTP/2 says it in the URI.
fn host(request: &Request) -> Option<&str> {
    let authority = request.uri().authority().map(Authority::as_str);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    host.or(authority)
}

/// Tells whether the request comes from no page, a page of the same host, or one that is listed.
fn is_allowed(headers: &HeaderMap, host: Option<&str>, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    is_own(origin, host) || allowed.iter().any(|one| is_same(one, origin))
}

/// Tells whether an origin is the one that `host` names. Either may leave out the port that its
/// scheme has by itself, and of the two only the origin tells the scheme.
fn is_own(origin: &str, host: Option<&str>) -> bool {
    let Some((scheme, place)) = parts(origin) else { return false };
    host.and_then(|host| place_of(&scheme, host)) == Some(place)
}

/// Tells whether two origins are the same, however they are written.
fn is_same(one: &str, other: &str) -> bool {
    one == other || (parts(one).is_some() && parts(one) == parts(other))
}

/// Scheme, and host with port, of an origin.
fn parts(origin: &str) -> Option<(String, (String, u16))> {
    let (scheme, authority) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let place = place_of(&scheme, authority)?;
    Some((scheme, place))
}

fn place_of(scheme: &str, authority: &str) -> Option<(String, u16)> {
    let authority: Authority = authority.parse().ok()?;
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let port = match authority.port() {
        Some(port) => port.as_str().parse().ok()?,
        None => default,
    };
    Some((authority.host().to_ascii_lowercase(), port))
}

/// Tells browsers which pages may read the answers, cookies included: clients send them unless
/// they are told not to, and then insist on the exact origin.
pub(super) fn cors(allowed: &[String]) -> CorsLayer {
    let allowed: Arc<[String]> = allowed.into();
    let origins = AllowOrigin::predicate(move |origin, _| {
        origin.to_str().is_ok_and(|origin| allowed.iter().any(|one| is_same(one, origin)))
    });
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::CACHE_CONTROL,
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("x-requested-with"),
            HeaderName::from_static("x-signalr-user-agent"),
        ])
        .max_age(Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_host_and_listed_origins_are_allowed_and_no_others() {
        let allowed = ["https://shop.example".to_owned()];
        let is_allowed = |origin: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            super::is_allowed(&headers, Some("events.example:6001"), &allowed)
        };
        assert!(is_allowed(None));
        assert!(is_allowed(Some("https://shop.example")));
        assert!(is_allowed(Some("http://events.example:6001")));
        for other in ["https://evil.example", "null", "http://events.example", ""] {
            assert!(!is_allowed(Some(other)), "{other}");
        }
    }

    #[test]
    fn the_port_that_a_scheme_has_by_itself_may_be_left_out_on_either_side() {
        for (origin, host) in [
            ("http://localhost", "localhost:80"),
            ("http://localhost:80", "localhost"),
            ("https://events.example", "events.example:443"),
            ("https://events.example", "events.example"),
            ("HTTP://Events.Example", "events.example"),
            ("http://[::1]", "[::1]:80"),
        ] {
            assert!(is_own(origin, Some(host)), "{origin} {host}");
        }
        for (origin, host) in [
            ("http://localhost", "localhost:443"),
            ("http://localhost:6001", "localhost"),
            ("null", "null"),
            ("http://", ""),
            ("http://localhost.evil.example", "localhost"),
        ] {
            assert!(!is_own(origin, Some(host)), "{origin} {host}");
        }
        assert!(is_same("https://shop.example:443", "https://shop.example"));
    }

    #[test]
    fn the_host_is_found_in_requests_of_every_version() {
        let request = |uri: &str, host: Option<&str>| {
            let mut request = axum::http::Request::get(uri);
            if let Some(host) = host {
                request = request.header(header::HOST, host);
            }
            host_of(request)
        };
        assert_eq!(request("/hubs/events", Some("a:1")).as_deref(), Some("a:1"));
        assert_eq!(request("https://b/hubs/events", None).as_deref(), Some("b"));
        assert_eq!(request("/hubs/events", None), None);
    }

    fn host_of(request: axum::http::request::Builder) -> Option<String> {
        host(&request.body(axum::body::Body::empty()).unwrap()).map(str::to_owned)
    }
}
