//! The methods of the hub, and what can be wrong with a call of one.

use highwater_core::Offset;

use crate::protocol::{Argument, Invocation};
use crate::source::LiveSource;

/// A call of one of the methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    /// Follows a source; events come to the client's handler.
    Subscribe { source: LiveSource, from: Option<Offset> },
    /// Follows it no more.
    Unsubscribe { source: LiveSource },
    /// Follows a source; events come as items of a stream.
    Stream { source: LiveSource, from: Option<Offset> },
}

/// Reason why a call fails; clients get to see it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CallError {
    #[error("Unknown hub method '{0}'")]
    UnknownMethod(String),
    #[error("{0} takes {1}")]
    Arguments(&'static str, &'static str),
    #[error("{0}")]
    Name(String),
    #[error("{0} is a stream of items and has to be invoked as one")]
    IsStream(&'static str),
    #[error("{0} is not a stream of items")]
    IsNoStream(&'static str),
    #[error("no method takes uploads")]
    Uploads,
    #[error("not allowed to follow {0:?}")]
    Denied(String),
    #[error("more than {0} subscriptions")]
    TooMany(usize),
    #[error("the server shows no projections")]
    NoProjections,
    #[error("the server cannot do this at the moment")]
    Unavailable,
}

const SUBSCRIBE: &str = "SubscribeToStream";
const UNSUBSCRIBE: &str = "UnsubscribeFromStream";
const STREAM: &str = "StreamEvents";

const NAME_AND_OFFSET: &str = "a stream name and optionally an offset";
const NAME: &str = "a stream name";

impl Call {
    /// Finds the method, in any case as the original server does, and binds its arguments.
    pub(crate) fn bind(invocation: &Invocation) -> Result<Self, CallError> {
        let methods = [SUBSCRIBE, UNSUBSCRIBE, STREAM];
        let is_target = |method: &&str| method.eq_ignore_ascii_case(&invocation.target);
        let Some(method) = methods.into_iter().find(is_target) else {
            return Err(CallError::UnknownMethod(invocation.target.chars().take(64).collect()));
        };
        if invocation.has_uploads {
            return Err(CallError::Uploads);
        }
        match (method == STREAM, invocation.wants_stream) {
            (true, false) => return Err(CallError::IsStream(method)),
            (false, true) => return Err(CallError::IsNoStream(method)),
            _ => {}
        }
        let arguments = &invocation.arguments[..];
        match method {
            SUBSCRIBE => source_and_offset(method, arguments)
                .map(|(source, from)| Self::Subscribe { source, from }),
            STREAM => source_and_offset(method, arguments)
                .map(|(source, from)| Self::Stream { source, from }),
            _ => match arguments {
                [Argument::Text(name)] => Ok(Self::Unsubscribe { source: source(name)? }),
                _ => Err(CallError::Arguments(method, NAME)),
            },
        }
    }
}

fn source_and_offset(
    method: &'static str,
    arguments: &[Argument],
) -> Result<(LiveSource, Option<Offset>), CallError> {
    let (name, from) = match arguments {
        [Argument::Text(name)] => (name, &Argument::Null),
        [Argument::Text(name), from] => (name, from),
        _ => return Err(CallError::Arguments(method, NAME_AND_OFFSET)),
    };
    let number = match from {
        Argument::Null => return Ok((source(name)?, None)),
        Argument::Number(number) => Some(*number),
        Argument::Text(digits) => digits.parse().ok(),
        Argument::Other => None,
    };
    // No event is at a place that no database can count to.
    match number.filter(|number| i64::try_from(*number).is_ok()) {
        Some(number) => Ok((source(name)?, Some(Offset::new(number)))),
        None => Err(CallError::Arguments(method, NAME_AND_OFFSET)),
    }
}

fn source(name: &str) -> Result<LiveSource, CallError> {
    name.parse().map_err(|error: highwater_core::InvalidName| CallError::Name(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(target: &str, arguments: Vec<Argument>) -> Result<Call, CallError> {
        Call::bind(&Invocation {
            id: None,
            target: target.to_owned(),
            arguments,
            wants_stream: target == STREAM,
            has_uploads: false,
        })
    }

    fn text(text: &str) -> Argument {
        Argument::Text(text.to_owned())
    }

    #[test]
    fn an_offset_may_be_missing_null_a_number_or_digits() {
        let source: LiveSource = "orders".parse().unwrap();
        for (offset, from) in [
            (None, None),
            (Some(Argument::Null), None),
            (Some(Argument::Number(7)), Some(Offset::new(7))),
            (Some(text("7")), Some(Offset::new(7))),
        ] {
            let arguments: Vec<_> = [text("orders")].into_iter().chain(offset).collect();
            let subscribe = Call::Subscribe { source: source.clone(), from };
            assert_eq!(call("subscribetostream", arguments.clone()), Ok(subscribe));
            let stream = Call::Stream { source: source.clone(), from };
            assert_eq!(call(STREAM, arguments), Ok(stream));
        }
        assert_eq!(call(UNSUBSCRIBE, vec![text("orders")]), Ok(Call::Unsubscribe { source }));
    }

    #[test]
    fn a_wrong_call_says_what_is_wrong() {
        for (target, arguments, error) in [
            ("Nope", vec![], "Unknown hub method 'Nope'"),
            (UNSUBSCRIBE, vec![], "UnsubscribeFromStream takes a stream name"),
            (
                SUBSCRIBE,
                vec![text("a"), Argument::Other],
                "SubscribeToStream takes a stream name and optionally an offset",
            ),
            (
                SUBSCRIBE,
                vec![text("a"), text("-1")],
                "SubscribeToStream takes a stream name and optionally an offset",
            ),
            (
                SUBSCRIBE,
                vec![text("a"), Argument::Number(1 << 63)],
                "SubscribeToStream takes a stream name and optionally an offset",
            ),
            (
                STREAM,
                vec![text("a"), text("9223372036854775808")],
                "StreamEvents takes a stream name and optionally an offset",
            ),
            (SUBSCRIBE, vec![text("")], "stream name \"\" is empty"),
        ] {
            assert_eq!(call(target, arguments).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn a_stream_is_invoked_as_one_and_nothing_else_is() {
        let invocation = |target: &str, wants_stream, has_uploads| Invocation {
            id: Some("1".to_owned()),
            target: target.to_owned(),
            arguments: vec![text("orders")],
            wants_stream,
            has_uploads,
        };
        let error = |target, wants_stream, has_uploads| {
            Call::bind(&invocation(target, wants_stream, has_uploads)).unwrap_err()
        };
        assert_eq!(error(STREAM, false, false), CallError::IsStream(STREAM));
        assert_eq!(error(SUBSCRIBE, true, false), CallError::IsNoStream(SUBSCRIBE));
        assert_eq!(error(SUBSCRIBE, false, true), CallError::Uploads);
    }
}
