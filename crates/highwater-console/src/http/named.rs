//! `/api/streams/events?stream=…`: streams whose names cannot stand in a path.
//!
//! What makes URLs, browsers above all, takes `.` and `..` for steps on the way and leaves them
//! out, however they are spelled. In the query every name arrives.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower::Service;

use super::Problem;

/// The routes, and the same with the stream in the query.
pub(crate) fn also_by_query(routes: Router) -> Router {
    let by_query = any(forward).with_state(routes.clone());
    routes.route("/api/streams/events", by_query)
}

async fn forward(State(mut routes): State<Router>, mut request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let (named, others): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|parameter| parameter.starts_with("stream="));
    let [named] = named[..] else {
        let detail = "the parameter stream has to name one stream";
        return Problem::new(StatusCode::BAD_REQUEST, detail).into_response();
    };
    let (named, others) = (named.to_owned(), others.join("&"));
    let Ok(uri) = Uri::try_from(path(&named["stream=".len()..], &others)) else {
        let detail = "the parameter stream is not encoded";
        return Problem::new(StatusCode::BAD_REQUEST, detail).into_response();
    };
    *request.uri_mut() = uri;
    let Ok(mut response) = routes.call(request).await;
    if let Some(link) = response.headers().get(header::LINK).and_then(|link| link.to_str().ok()) {
        // A link to the next page is relative to this one and its query.
        let link = link.replacen("<?", &format!("<?{named}&"), 1);
        if let Ok(link) = HeaderValue::try_from(link) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    response
}

/// The path to the stream, whose name is encoded as in a query.
fn path(name: &str, query: &str) -> String {
    let segment = name.replace('+', "%20").replace('/', "%2F").replace('?', "%3F");
    let mark = if query.is_empty() { "" } else { "?" };
    format!("/api/streams/{segment}/events{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_query_is_one_segment_of_a_path() {
        assert_eq!(path("..", "from=1"), "/api/streams/../events?from=1");
        assert_eq!(path("a+b/c?%2B%25", ""), "/api/streams/a%20b%2Fc%3F%2B%25/events");
    }
}
