"""signalrcore, told what to do by lines of JSON, telling what happens in the same way."""

import json
import logging
import sys

from signalrcore.hub_connection_builder import HubConnectionBuilder
from signalrcore.types import HttpTransportType, HubProtocolEncoding

url, transport, protocol = sys.argv[1:]
TRANSPORTS = {
    "WebSockets": HttpTransportType.web_sockets,
    "ServerSentEvents": HttpTransportType.server_sent_events,
    "LongPolling": HttpTransportType.long_polling,
}


def tell(**what):
    print(json.dumps(what), flush=True)


encoding = HubProtocolEncoding.binary if protocol == "messagepack" else HubProtocolEncoding.text
hub = (
    HubConnectionBuilder()
    .with_url(url, options={"transport": TRANSPORTS[transport]})
    .configure_logging(logging.CRITICAL)
    .with_hub_protocol(encoding)
    .with_automatic_reconnect(
        {"type": "raw", "keep_alive_interval": 5, "reconnect_interval": 0.2, "max_attempts": 50}
    )
    .build()
)
for target in ["SubscriptionConfirmed", "EventReceived", "Error"]:
    hub.on(
        target,
        lambda arguments, target=target: tell(
            **{"is": "call", "target": target, "arguments": arguments}
        ),
    )
hub.on_open(lambda: tell(**{"is": "open"}))
hub.on_reconnect(lambda: tell(**{"is": "open"}))
hub.on_error(lambda message: tell(**{"is": "done", "error": message.error}))
hub.start()

stream = None
for line in sys.stdin:
    command = json.loads(line)
    match command["as"]:
        case "stop":
            hub.stop()
            tell(**{"is": "closed"})
        case "send" | "invoke":
            hub.invoke(
                command["method"], command["arguments"], lambda message: tell(**{"is": "done"})
            )
        case "stream":
            stream = hub.stream(command["method"], command["arguments"])
            stream.subscribe(
                {
                    "next": lambda item: tell(**{"is": "item", "item": item}),
                    "complete": lambda message: tell(**{"is": "done"}),
                    "error": lambda message: tell(**{"is": "done", "error": message.error}),
                }
            )
            # Items that came before this point are lost to the library.
            tell(**{"is": "streaming"})
