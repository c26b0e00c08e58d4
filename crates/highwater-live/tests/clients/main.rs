//! The live hub as real SignalR clients see it: theirs is the protocol that counts.
//!
//! The clients are installed on the first run, at pinned versions, with npm and pip. So the tests
//! need Node.js, Python 3 and Chromium; as root on Debian they install those, too, and elsewhere
//! they fail and say what to install.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
mod client;
mod install;
mod proxy;
mod scenarios;
#[path = "../live/support/server.rs"]
mod server;

use client::{Kind, Library};

/// One module of tests for each client, transport and protocol that it has.
macro_rules! clients {
    ($($name:ident: $library:ident, $transport:literal, $protocol:literal;)*) => {
        $(mod $name {
            use super::{Kind, Library, scenarios};

            const KIND: Kind =
                Kind { library: Library::$library, transport: $transport, protocol: $protocol };

            #[tokio::test]
            async fn subscribes_and_calls() {
                scenarios::subscribes_and_calls(KIND).await;
            }

            #[tokio::test]
            async fn resumes_after_cuts() {
                scenarios::resumes_after_cuts(KIND).await;
            }

            #[tokio::test]
            async fn moves_to_another_process_when_one_drains() {
                scenarios::moves_to_another_process(KIND).await;
            }
        })*

        const KINDS: &[Kind] = &[$(
            Kind { library: Library::$library, transport: $transport, protocol: $protocol },
        )*];
    };
}

clients! {
    javascript_web_sockets_json: JavaScript, "WebSockets", "json";
    javascript_web_sockets_message_pack: JavaScript, "WebSockets", "messagepack";
    javascript_server_sent_events_json: JavaScript, "ServerSentEvents", "json";
    javascript_long_polling_json: JavaScript, "LongPolling", "json";
    javascript_long_polling_message_pack: JavaScript, "LongPolling", "messagepack";
    pysignalr_json: Pysignalr, "WebSockets", "json";
    pysignalr_message_pack: Pysignalr, "WebSockets", "messagepack";
    signalrcore_web_sockets_json: Signalrcore, "WebSockets", "json";
    signalrcore_web_sockets_message_pack: Signalrcore, "WebSockets", "messagepack";
    signalrcore_server_sent_events_json: Signalrcore, "ServerSentEvents", "json";
    signalrcore_long_polling_json: Signalrcore, "LongPolling", "json";
}

/// signalrcore and clients that poll wait for TCP to give up.
#[tokio::test]
async fn clients_and_hub_notice_half_open_connections() {
    let notices =
        |kind: &&Kind| kind.library != Library::Signalrcore && kind.transport != "LongPolling";
    let kinds: Vec<_> = KINDS.iter().filter(notices).copied().collect();
    scenarios::notices_half_open_connections(&kinds).await;
}

#[tokio::test]
async fn every_client_stays_connected_through_40_idle_seconds() {
    scenarios::stays_connected(KINDS).await;
}
