"""Clients that are not ours at the real gate: mosquitto_pub and _sub, Paho, mqtt.js over WebSockets.

Each publishes with QoS 0, 1 and 2 under MQTT 3.1.1 and 5; each message is in the log once, with its
sender and its time, and the mark of what is stored arrives.
"""
import datetime
import json
import os
import pathlib
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
import unittest

from gate_site import GateSite
from mqtt_wire import reading
from stator_site import ROOT, wait_until

# Debian's python3-paho-mqtt also serves a Python that is not Debian's.
sys.path.append("/usr/lib/python3/dist-packages")
import paho.mqtt.client as paho  # noqa: E402

CLIENTS = ROOT / "build/clients"
SCRIPT = pathlib.Path(__file__).parent / "clients/browser_like.mjs"
DATA = "shaded-pole-motor-sensor_data"
WAYS = [(version, qos) for version in (4, 5) for qos in (0, 1, 2)]
EACH = 5
RECORD = re.compile(r"^(\S+) (\S+) (\S+) (\S+) (\{.*\})$")


class Paho:
    """One Paho connection with its own thread; what came is in `marks` and `acknowledged`."""

    def __init__(self, site, name, version=5):
        self.client = paho.Client(client_id=name, protocol=version)
        ca, certificate, key = site.credentials(name)
        self.client.tls_set(ca_certs=str(ca), certfile=str(certificate), keyfile=str(key),
                            tls_version=ssl.PROTOCOL_TLS_CLIENT)  # fmt: skip
        self.client.reconnect_delay_set(1, 1)
        self.connects, self.marks, self.acknowledged = 0, [], set()
        self.stored = f"stator/devices/{name}/stored"
        self.client.on_connect = self.on_connect
        self.client.on_message = lambda _c, _u, message: self.marks.append(json.loads(message.payload))
        self.client.on_publish = lambda _c, _u, identity: self.acknowledged.add(identity)
        self.client.connect("localhost", site.ports()["mqtts"], 30)
        self.client.loop_start()

    def on_connect(self, client, *_):
        self.connects += 1
        client.subscribe(self.stored, 1)

    def publish(self, topic, payload, qos):
        identity = self.client.publish(topic, payload, qos).mid
        wait_until("Paho's acknowledgement", lambda: identity in self.acknowledged)

    def __enter__(self):
        wait_until("Paho's connection", lambda: self.connects)
        return self

    def __exit__(self, *_):
        self.client.disconnect()
        self.client.loop_stop()


class MqttJs:
    """One mqtt.js connection over WebSockets in a Node.js of its own."""

    def __init__(self, site, name, version=5, credentials=None):
        files = [str(file or "") for file in credentials or site.credentials(name)]
        self.process = subprocess.Popen(
            ["node", SCRIPT, CLIENTS, str(site.ports()["wss"]), name, str(version), *files],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.said = []
        self.listener = threading.Thread(target=self.listen, daemon=True)
        self.listener.start()

    def listen(self):
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    def tell(self, **words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()

    def heard(self, event, count=1):
        return wait_until(
            f"mqtt.js: {event}",
            lambda: len(found := [one for one in self.said if one["event"] == event]) >= count and found,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listener.join(10)
        self.process.stdout.close()


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = GateSite()
        cls.addClassCleanup(cls.site.stop)

    def setUp(self):
        self.began = time.time()

    def numbered(self, name):
        """(version, qos, its readings) for each way, numbered without gaps."""
        for index, (version, qos) in enumerate(WAYS):
            yield version, qos, [reading(name, index * EACH + n + 1) for n in range(EACH)]

    def check_log(self, name):
        """Each reading is there once, byte for byte, with its sender and the time it came."""
        expected = [text for _, _, texts in self.numbered(name) for text in texts]

        def records():
            found = [RECORD.match(line) for line in self.site.log()]
            found = [match.groups() for match in found if match and match.group(3) == name]
            return found if len(found) >= len(expected) else None

        # What was sent with QoS 0 just before the good-bye may be on its way.
        found = wait_until(f"the readings of {name} in the log", records, 10)
        self.assertEqual([record[4] for record in found], expected)
        for when, identity, _, topic, _ in found:
            self.assertEqual((identity, topic), ("certificate", DATA))
            at = datetime.datetime.fromisoformat(when.replace("Z", "+00:00")).timestamp()
            self.assertLess(self.began - 1, at)
            self.assertLess(at, time.time() + 1)

    def last_mark(self):
        return {"boot": 1, "seq": len(WAYS) * EACH, "hold": False}

    def tool(self, program, name, *arguments, **more):
        ca, certificate, key = self.site.credentials(name)
        return subprocess.run(
            [program, "-h", "localhost", "-p", str(self.site.ports()["mqtts"]), "--cafile", ca,
             "--cert", certificate, "--key", key, "-i", name, *arguments],
            capture_output=True, text=True, timeout=30, check=False, **more,
        )  # fmt: skip

    def test_mosquittos_own(self):
        self.site.add("shell")
        for version, qos, texts in self.numbered("shell"):
            done = self.tool("mosquitto_pub", "shell", "-V", {4: "311", 5: "5"}[version], "-q", str(qos),
                             "-t", DATA, "-l", input="\n".join(texts) + "\n")  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stderr)
        self.check_log("shell")
        heard = self.tool("mosquitto_sub", "shell", "-q", "1", "-t", "stator/devices/shell/stored", "-C", "1",
                          "-W", "20")  # fmt: skip
        self.assertEqual(json.loads(heard.stdout), self.last_mark(), heard.stderr)

    def test_paho(self):
        self.site.add("snake")
        for version, qos, texts in self.numbered("snake"):
            with Paho(self.site, "snake", version) as client:
                for text in texts:
                    client.publish(DATA, text, qos)
        self.check_log("snake")
        with Paho(self.site, "snake") as client:
            wait_until("the mark", lambda: client.marks and client.marks[-1] == self.last_mark())

    def test_mqtt_js_over_websockets(self):
        self.site.add("page")
        for version, qos, texts in self.numbered("page"):
            with MqttJs(self.site, "page", version) as client:
                client.heard("connected")
                for text in texts:
                    client.tell(topic=DATA, payload=text, qos=qos)
                done = client.heard("acknowledged", EACH)
                self.assertEqual([one["payload"] for one in done], texts)
        self.check_log("page")
        with MqttJs(self.site, "page") as client:
            client.heard("connected")
            client.tell(subscribe="stator/devices/page/stored")
            mark = client.heard("message")[0]
            self.assertEqual(json.loads(mark["payload"]), self.last_mark())

    def test_websockets_are_a_door_like_the_other(self):
        self.site.add("caller")
        with MqttJs(self.site, "caller", credentials=(self.site.ca(), None, None)) as stranger:
            stranger.heard("closed")
            self.assertFalse([one for one in stranger.said if one["event"] == "connected"])
        with MqttJs(self.site, "honest", credentials=self.site.credentials("caller")) as liar:
            liar.heard("closed")
            self.assertFalse([one for one in liar.said if one["event"] == "connected"])
        with MqttJs(self.site, "caller") as client:
            client.heard("connected")
            client.tell(topic=DATA, payload=reading("another", 1), qos=1)
            self.assertIn("Not authorized", client.heard("refused")[0]["reason"])
            client.tell(topic=DATA, payload=reading("caller", 1), qos=1)
            client.heard("acknowledged")
            self.site.stator("device", "revoke", "caller")
            revoked = time.monotonic()
            client.heard("closed")
            print(f"a revoked WebSockets client was cut off {time.monotonic() - revoked:.2f} s after the verb")
        with MqttJs(self.site, "caller") as again:
            again.heard("closed")
            self.assertFalse([one for one in again.said if one["event"] == "connected"])

    def test_the_mark_outlives_the_broker(self):
        self.site.add("patient")
        with Paho(self.site, "patient") as client:
            for seq in range(1, 4):
                client.publish(DATA, reading("patient", seq), 1)
            mark = {"boot": 1, "seq": 3, "hold": False}
            wait_until("the mark", lambda: mark in client.marks)
            client.marks.clear()
            before = self.site.broker_pid()
            os.kill(before, signal.SIGKILL)
            wait_until("another broker", lambda: self.site.broker_pid() not in (None, before))
            wait_until("the mark without anything sent", lambda: client.marks, 60)
            self.assertEqual(client.marks[0], mark)


if __name__ == "__main__":
    unittest.main()
