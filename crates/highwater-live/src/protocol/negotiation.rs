//! Negotiate: tells a client its id and the transports that it may choose from.

use serde_json::{Value, json};

/// Answer to a client before it connects.
#[derive(Debug, Clone, Copy)]
pub struct Negotiation<'a> {
    /// The public name of the connection.
    pub id: &'a str,
    /// Token that the client sends to attach to the connection; a secret.
    pub token: &'a str,
}

impl Negotiation<'_> {
    /// The answer to a client that asked for `version`, the query parameter as it came.
    ///
    /// A client that asked for version 0 gets version 0: one of the Python clients looks for its
    /// id in another place when it is told 1. WebSockets and text stand first, because that
    /// client takes whatever is first.
    #[must_use]
    pub fn answer(self, version: Option<&str>) -> Value {
        let Ok(version) = version.unwrap_or("0").parse::<u32>() else {
            return json!({ "error": "negotiateVersion is not a number" });
        };
        let transports = json!([
            { "transport": "WebSockets", "transferFormats": ["Text", "Binary"] },
            { "transport": "ServerSentEvents", "transferFormats": ["Text"] },
            { "transport": "LongPolling", "transferFormats": ["Text", "Binary"] },
        ]);
        if version == 0 {
            // Version 0 knows one id for both purposes, so it has to be the secret one.
            return json!({
                "negotiateVersion": 0,
                "connectionId": self.token,
                "availableTransports": transports,
            });
        }
        json!({
            "negotiateVersion": 1,
            "connectionId": self.id,
            "connectionToken": self.token,
            "availableTransports": transports,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEGOTIATION: Negotiation<'_> = Negotiation { id: "A", token: "B" };

    #[test]
    fn version_0_gives_the_token_as_id_and_version_1_both() {
        for version in [None, Some("0")] {
            let answer = NEGOTIATION.answer(version);
            assert_eq!(answer["negotiateVersion"], 0);
            assert_eq!(answer["connectionId"], "B");
            assert!(answer.get("connectionToken").is_none());
        }
        for version in ["1", "7"] {
            let answer = NEGOTIATION.answer(Some(version));
            assert_eq!(answer["negotiateVersion"], 1);
            assert_eq!(answer["connectionId"], "A");
            assert_eq!(answer["connectionToken"], "B");
        }
    }

    #[test]
    fn web_sockets_and_text_come_first() {
        let answer = NEGOTIATION.answer(None);
        assert_eq!(answer["availableTransports"][0]["transport"], "WebSockets");
        assert_eq!(answer["availableTransports"][0]["transferFormats"][0], "Text");
    }

    #[test]
    fn a_version_that_is_no_number_is_answered_with_an_error() {
        assert!(NEGOTIATION.answer(Some("one")).get("error").is_some());
    }
}
