// mqtt.js over WebSockets, as a page or a Node-RED would speak: publishes lines of standard input.
// usage: node browser_like.mjs MODULES PORT ID PROTOCOL_VERSION CA CERTIFICATE KEY
// A line in: {"qos":1,"topic":"..","payload":".."} or {"subscribe":".."}.
// A line out: {"event":"connected|acknowledged|subscribed|message|closed|refused", ...}.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [modules, port, id, version, ca, certificate, key] = process.argv.slice(2);
const mqtt = createRequire(modules + "/")("mqtt");
const say = (event, more = {}) => console.log(JSON.stringify({ event, ...more }));

const client = mqtt.connect(`wss://localhost:${port}/mqtt`, {
  clientId: id,
  protocolVersion: Number(version),
  ca: readFileSync(ca),
  ...(certificate ? { cert: readFileSync(certificate), key: readFileSync(key) } : {}),
  reconnectPeriod: 0,
});
client.on("connect", () => say("connected"));
client.on("message", (topic, payload) => say("message", { topic, payload: payload.toString() }));
client.on("error", (error) => say("refused", { reason: error.message }));
client.on("close", () => say("closed"));

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const { subscribe, topic, payload, qos } = JSON.parse(line);
  if (subscribe) {
    client.subscribe(subscribe, { qos: 1 }, (error) =>
      say(error ? "refused" : "subscribed", { reason: error?.message }),
    );
    return;
  }
  client.publish(topic, payload, { qos }, (error) =>
    say(error ? "refused" : "acknowledged", { payload, reason: error?.message }),
  );
});
lines.on("close", () => client.end(false, {}, () => process.exit(0)));
