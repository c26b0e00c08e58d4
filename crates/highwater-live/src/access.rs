//! Who may connect, and who may follow what.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::http::{HeaderMap, Uri, header};
use highwater_core::BoxError;

use crate::source::LiveSource;

/// Decides who may connect and what each may follow.
///
/// There are no defaults to forget: with an `Access` nothing is allowed that it does not allow.
/// Without one, everybody may follow everything.
///
/// ```
/// use async_trait::async_trait;
/// use highwater_core::{BoxError, Source};
/// use highwater_live::{Access, Credentials, Identity, LiveSource};
///
/// /// Each user may follow the stream of their own account.
/// struct Owners;
///
/// #[async_trait]
/// impl Access for Owners {
///     async fn identify(&self, credentials: &Credentials) -> Result<Option<Identity>, BoxError> {
///         # fn verify(_token: &str) -> Option<String> { None }
///         let user = credentials.token.as_deref().and_then(verify);
///         Ok(user.map(|user| Identity::new(&user)))
///     }
///
///     async fn may_follow(&self, user: &Identity, source: &LiveSource) -> Result<bool, BoxError> {
///         let LiveSource::Events(Source::Stream(stream)) = source else { return Ok(false) };
///         Ok(stream.as_str().strip_prefix("account-") == Some(user.as_str()))
///     }
/// }
/// ```
///
/// A connection keeps the identity that it was negotiated with; whoever attaches to it has to be
/// the same; only polls may come without any token, for the secret id of the connection. An error
/// refuses with 503, or fails the call, and is logged. Rights that are withdrawn end no subscription
/// that is open: for that there is [`Live::disconnect`](crate::live::Live::disconnect).
#[async_trait]
pub trait Access: Send + Sync + 'static {
    /// Who makes a request; `None` refuses it with 401.
    async fn identify(&self, credentials: &Credentials) -> Result<Option<Identity>, BoxError>;

    /// Tells whether `identity` may follow `source`; asked for each subscription, when it is made.
    async fn may_follow(&self, identity: &Identity, source: &LiveSource) -> Result<bool, BoxError>;
}

/// Credentials of a request: all that it says about who makes it.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The token of the header `Authorization: Bearer`, or else of the query's `access_token`,
    /// which is where a browser has to put it for WebSockets and server-sent events.
    pub token: Option<String>,
    /// All headers, for cookies and what a gateway may have added.
    pub headers: HeaderMap,
}

/// The name of who has connected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity(Arc<str>);

impl Identity {
    /// The identity `name`; the same name is the same identity.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(serde::Deserialize)]
struct Query {
    access_token: Option<String>,
}

impl Credentials {
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim().to_owned());
        let token = bearer.or_else(|| {
            let query = axum::extract::Query::<Query>::try_from_uri(uri).ok();
            query.and_then(|query| query.0.access_token)
        });
        Self { token, headers: headers.clone() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(uri: &str, authorization: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        Credentials::of(&uri.parse().unwrap(), &headers).token
    }

    #[test]
    fn the_token_is_in_the_header_or_else_in_the_query() {
        assert_eq!(token("/hub", Some("Bearer a.b")).as_deref(), Some("a.b"));
        assert_eq!(token("/hub?id=1&access_token=c%2Ed", None).as_deref(), Some("c.d"));
        assert_eq!(token("/hub?access_token=c", Some("bearer a")).as_deref(), Some("a"));
        assert_eq!(token("/hub", Some("Basic a")), None);
        assert_eq!(token("/hub", None), None);
    }

    #[test]
    fn credentials_are_never_shown() {
        let credentials = Credentials { token: Some("secret".to_owned()), ..Default::default() };
        assert!(!format!("{credentials:?}").contains("secret"));
    }
}
