"""pysignalr, told what to do by lines of JSON, telling what happens in the same way."""

import asyncio
import json
import sys

from pysignalr.client import SignalRClient
from pysignalr.protocol.json import JSONProtocol
from pysignalr.protocol.messagepack import MessagepackProtocol

url, _transport, protocol = sys.argv[1:]


def tell(**what):
    print(json.dumps(what), flush=True)


async def main():
    chosen = MessagepackProtocol() if protocol == "messagepack" else JSONProtocol()
    client = SignalRClient(url, protocol=chosen, retry_sleep=0.2, retry_multiplier=1.0)

    for target in ["SubscriptionConfirmed", "EventReceived", "Error"]:

        async def called(arguments, target=target):
            tell(**{"is": "call", "target": target, "arguments": arguments})

        client.on(target, called)

    async def opened():
        tell(**{"is": "open"})

    async def failed(message):
        tell(**{"is": "done", "error": message.error})

    async def completed(message):
        if not message.error:
            tell(**{"is": "done"})

    async def item(item):
        tell(**{"is": "item", "item": item})

    client.on_open(opened)
    client.on_error(failed)
    running = asyncio.create_task(client.run())

    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        match command["as"]:
            case "stop":
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                tell(**{"is": "closed"})
            case "send":
                await client.send(command["method"], command["arguments"])
            case "invoke":
                await client.send(command["method"], command["arguments"], completed)
            case "stream":
                await client.stream(command["method"], command["arguments"], item, completed)
                tell(**{"is": "streaming"})


asyncio.run(main())
