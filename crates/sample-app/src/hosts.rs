//! The names under which the application may be asked for.
//!
//! A page of anybody's site can have its own name lead to this machine and then talk to what
//! listens here, as if to its own server. So an application that listens for this machine alone
//! answers only to addresses and to names that nobody can own, unless more are allowed.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use highwater::console::Problem;

use crate::args::ServeOptions;

/// Ends of names that the public name service never gives away: RFC 2606, 6762 and 6761, and
/// what ICANN has set aside for private use.
const NOBODYS: [&str; 6] = ["example", "internal", "invalid", "local", "localhost", "test"];

/// Refuses requests for other names, when `options` have it listen for this machine alone.
pub(crate) fn known(routes: Router, options: &ServeOptions) -> Router {
    if !options.host.is_loopback() {
        return routes;
    }
    let allowed: Arc<[String]> = options.allowed_hosts.clone().into();
    routes.layer(from_fn(move |request: Request, next: Next| {
        let allowed = Arc::clone(&allowed);
        async move {
            match name(&request).filter(|name| !is_known(name, &allowed)) {
                Some(name) => refusal(&name).into_response(),
                None => next.run(request).await,
            }
        }
    }))
}

/// The host that a request is for, without its port.
fn name(request: &Request) -> Option<String> {
    let header = || request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(|authority| authority.as_str()).or_else(header)?;
    let end =
        if host.starts_with('[') { host.find(']').map(|end| end + 1) } else { host.find(':') };
    Some(host[..end.unwrap_or(host.len())].trim_end_matches('.').to_lowercase())
}

fn is_known(name: &str, allowed: &[String]) -> bool {
    let v6 = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_address =
        name.parse::<IpAddr>().is_ok() || v6.is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok());
    is_address
        || name.rsplit_once('.').is_none_or(|(_, end)| NOBODYS.contains(&end))
        || allowed.iter().any(|one| one == name)
}

fn refusal(name: &str) -> Problem {
    let detail = format!("this is not {name}, unless it is started with --allowed-host {name}");
    Problem::new(StatusCode::MISDIRECTED_REQUEST, detail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn is_answered(host: &str) -> bool {
        let request = Request::get("/").header(header::HOST, host).body(Body::empty()).unwrap();
        is_known(&name(&request).unwrap(), &["events.shop.com".to_owned()])
    }

    #[test]
    fn addresses_and_names_that_nobody_owns_are_answered_and_others_once_allowed() {
        for host in [
            "localhost:6001",
            "LOCALHOST",
            "127.0.0.1:6001",
            "[::1]:6001",
            "10.0.0.7",
            "app:80",
            "app.localhost:6001",
            "ada.local",
            "host.docker.internal:6001",
            "Events.Shop.com.:80",
        ] {
            assert!(is_answered(host), "{host}");
        }
        for host in ["evil.com", "evil.com:6001", "localhost.evil.com", "127.0.0.1.nip.io", "a.b."]
        {
            assert!(!is_answered(host), "{host}");
        }
    }
}
