//! Refuses what pages of other sites would have a browser do.

use axum::Router;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};

use super::Problem;

/// What browsers say of where a request comes from; pages cannot change it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses requests to `routes` that change something and come from pages of other origins.
///
/// Any page can have the browser of whoever looks at it send a form, or a request whose answer it
/// is not shown, to any address: also to one that is only reached from within. Browsers say so in
/// `Sec-Fetch-Site` or in `Origin`. Programs send neither and are answered; who they are is for
/// the application to ask. The routes of a [`Console`](crate::console::Console) are guarded already: put
/// this around those of the application that browsers have no business with from elsewhere.
///
/// It goes by the `Host` that is asked for. Pages can have their own name lead anywhere, so have
/// the server check that, too.
pub fn refuse_cross_site(routes: Router) -> Router {
    routes.layer(from_fn(guard))
}

pub(crate) async fn guard(request: Request, next: Next) -> Response {
    if request.method().is_safe() || is_from_here(&request) {
        return next.run(request).await;
    }
    let detail = "pages of other origins may not do this";
    Problem::new(StatusCode::FORBIDDEN, detail).into_response()
}

fn is_from_here(request: &Request) -> bool {
    let headers = request.headers();
    if headers.contains_key(&FETCH_SITE) {
        // `none` is the user's own doing, such as an address that was typed in.
        return only(headers, &FETCH_SITE)
            .is_some_and(|site| matches!(site, "same-origin" | "none"));
    }
    if !headers.contains_key(header::ORIGIN) {
        return true;
    }
    only(headers, &header::ORIGIN).is_some_and(|origin| is_of_host(origin, request))
}

/// The value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Tells whether the origin is that of the host that is asked for. Which scheme it was asked by is
/// not known behind a proxy, but the port is.
fn is_of_host(origin: &str, request: &Request) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    let host = only(request.headers(), &header::HOST);
    let host = host.or_else(|| request.uri().authority().map(Authority::as_str));
    let place = |text: &str| {
        let authority: Authority = text.parse().ok().filter(|_| !text.contains('@'))?;
        let port = authority.port_u16().unwrap_or(default_port);
        Some((authority.host().to_lowercase(), port))
    };
    place(authority).is_some() && place(authority) == host.and_then(place)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn is_let_in(host: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::post("/").header(header::HOST, host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_from_here(&request.body(Body::empty()).unwrap())
    }

    #[test]
    fn programs_and_pages_of_the_same_origin_are_let_in() {
        for (host, headers) in [
            ("localhost:6001", &[][..]),
            (
                "localhost:6001",
                &[("sec-fetch-site", "same-origin"), ("origin", "https://shop.com")],
            ),
            ("localhost:6001", &[("sec-fetch-site", "none")]),
            ("localhost:6001", &[("origin", "http://localhost:6001")]),
            ("Shop.com", &[("origin", "https://shop.com")]),
            ("shop.com:443", &[("origin", "https://shop.com")]),
            ("shop.com:80", &[("origin", "http://shop.com")]),
            ("[::1]:6001", &[("origin", "http://[::1]:6001")]),
        ] {
            assert!(is_let_in(host, headers), "{host} {headers:?}");
        }
    }

    #[test]
    fn pages_of_other_sites_ports_and_of_no_origin_are_not() {
        for headers in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "http://localhost:6001")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "")],
            &[("sec-fetch-site", "Same-Origin")],
            &[("origin", "http://localhost:8080")],
            &[("origin", "http://localhost")],
            &[("origin", "http://evil.com")],
            &[("origin", "null")],
            &[("origin", "")],
            &[("origin", "file://")],
            &[("origin", "http://a@localhost:6001")],
            &[("origin", "http://localhost:6001"), ("origin", "http://localhost:6001")],
            &[("origin", "ftp://localhost:6001")],
        ] {
            assert!(!is_let_in("localhost:6001", headers), "{headers:?}");
        }
    }
}
