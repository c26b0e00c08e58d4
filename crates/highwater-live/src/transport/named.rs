//! `GET /streams/events?stream=…`: streams whose names cannot stand in a path.
//!
//! What makes URLs, browsers above all, takes `.` and `..` for steps on the way and leaves them
//! out, however they are spelled. In the query every name arrives.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::Service;

use super::Refusal;

/// The routes, and the same with the stream in the query.
pub(super) fn also_by_query(routes: Router) -> Router {
    let by_query = any(forward).with_state(routes.clone());
    routes.route("/streams/events", by_query)
}

async fn forward(State(mut routes): State<Router>, mut request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let (named, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|parameter| parameter.starts_with("stream="));
    let named = match named[..] {
        [named] => Uri::try_from(path(&named["stream=".len()..], &others.join("&"))).ok(),
        _ => None,
    };
    let Some(uri) = named else {
        let reason = "the parameter stream has to name one stream";
        return Refusal::Invalid(reason.to_owned()).into_response();
    };
    *request.uri_mut() = uri;
    let Ok(response) = routes.call(request).await;
    response
}

/// The path to the stream, whose name is encoded as in a query.
fn path(name: &str, query: &str) -> String {
    let segment = name.replace('+', "%20").replace('/', "%2F").replace('?', "%3F");
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/streams/{segment}/events{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_query_is_one_segment_of_a_path() {
        assert_eq!(path("..", "from=1"), "/streams/../events?from=1");
        assert_eq!(path("a+b/c?%2B%25", ""), "/streams/a%20b%2Fc%3F%2B%25/events");
    }
}
