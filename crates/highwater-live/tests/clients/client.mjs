// The JavaScript client, told what to do by lines of JSON, telling what happens in the same way.
import { createInterface } from "node:readline";
import * as signalR from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";

const [url, transport, protocol] = process.argv.slice(2);
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

const builder = new signalR.HubConnectionBuilder()
  .withUrl(url, { transport: signalR.HttpTransportType[transport] })
  .configureLogging(signalR.LogLevel.None)
  .withAutomaticReconnect(Array(100).fill(100));
if (protocol === "messagepack") builder.withHubProtocol(new MessagePackHubProtocol());
const connection = builder.build();
connection.serverTimeoutInMilliseconds = 20_000;
connection.keepAliveIntervalInMilliseconds = 5_000;

for (const target of ["SubscriptionConfirmed", "EventReceived", "Error"]) {
  connection.on(target, (...args) => tell({ is: "call", target, arguments: args }));
}
connection.onreconnected(() => tell({ is: "open" }));
connection.onclose((error) => tell({ is: "closed", error: error?.message }));

let stream;
async function obey({ as, method, arguments: args }) {
  if (as === "stop") return connection.stop();
  if (as === "cancel") return stream.dispose();
  if (as === "send") return connection.send(method, ...args);
  if (as === "stream") {
    stream = connection.stream(method, ...args).subscribe({
      next: (item) => tell({ is: "item", item }),
      complete: () => tell({ is: "done" }),
      error: (error) => tell({ is: "done", error: error.message }),
    });
    return tell({ is: "streaming" });
  }
  try {
    await connection.invoke(method, ...args);
    tell({ is: "done" });
  } catch (error) {
    tell({ is: "done", error: error.message });
  }
}

await connection.start();
tell({ is: "open" });
for await (const line of createInterface({ input: process.stdin })) await obey(JSON.parse(line));
