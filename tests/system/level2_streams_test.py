"""Level 2 over each of its streams and in its other engine: the same readings, the same alerts.

A device says the same story over MQTT each time; level 2 hears it from the log, from a real Kafka behind
the bridge, from the broker itself, and from the log again with TensorFlow Lite's library as engine.
"""
import json
import re
import subprocess
import unittest
import urllib.error
import urllib.request

from gate_site import GateSite
from kafka_broker import PASSWORD, USER, Kafka, free_ports, missing
from level2_swaps_test import CHANNELS, START_MS, Models, Service, asset_toml, own_ports
from stator_site import wait_until
from tflite_test import ENGINE, LIBRARY

DATA = "shaded-pole-motor-sensor_data"
ALERTS = "motor-failure-alert-level2-inference"
ENGINE_DIFFERENCE_MAX = 0.05  # decide/level2/models.h
BIAS = -5.0
# Of every channel: quiet, then a fault that comes, grows, goes. With w . 1 = 116, 0.5 is at 0.0431.
STORY = [0.0, 0.02, 0.05, 0.07, 0.08, 0.05, 0.03, 0.0]
ALARMED = [2, 3, 4, 5, 6]  # the last one ends it
DEVICES = {"log": "over-log", "kafka": "over-kafka", "mqtt": "over-mqtt", "engine": "in-tflite"}


def without_number(alert):
    """What an alert says, but for who was told of, when in the stream, and by which upload."""
    return {k: v for k, v in alert.items() if k not in ("deviceID", "boot", "seq", "model", "release")}


@unittest.skipIf(missing(), missing())
class Streams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = Kafka(partitions=2)
        cls.addClassCleanup(cls.kafka.stop)
        cls.site = GateSite(settings={**own_ports(), "ports.ops_bridge": free_ports(1)[0]})
        cls.addClassCleanup(cls.site.stop)
        toml = cls.site.state / "stator.toml"
        toml.write_text(toml.read_text() + "".join(map(asset_toml, DEVICES.values())))
        for device in DEVICES.values():
            cls.site.add(device)
        command = cls.site.broker_alone()
        password = cls.site.state / "kafka.password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        cls.site.environment.update({
            "STATOR_KAFKA_BOOTSTRAP": cls.kafka.secure_bootstrap, "STATOR_KAFKA_SECURITY": "sasl_ssl",
            "STATOR_KAFKA_USERNAME": USER, "STATOR_KAFKA_PASSWORD_FILE": str(password),
            "STATOR_KAFKA_CA": str(cls.kafka.ca)})  # fmt: skip
        broker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(broker.wait, 30)
        cls.addClassCleanup(broker.terminate)
        wait_until("the broker", cls.broker_answers, 30)
        for name in ("registry", "bridge"):
            service = Service(cls.site, name)
            cls.addClassCleanup(service.stop)
        cls.models = Models(cls.site)
        cls.addClassCleanup(cls.models.connection.close)
        wait_until("the registry", cls.registry_answers, 30)
        cls.heard = {}

    @classmethod
    def broker_answers(cls):
        try:
            cls.site.joined(DEVICES["log"]).close()
            return True
        except OSError:
            return False

    @classmethod
    def registry_answers(cls):
        try:
            cls.models.connection.connect()
            return True
        except OSError:
            return False

    def ops(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.site.ports()['ops_level2']}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (OSError, urllib.error.URLError):
            return ""

    def newest_runs(self):
        found = re.search(r"^stator_level2_model_release\{.*\} (\d+)$", self.ops("/metrics"), re.MULTILINE)
        return found and int(found.group(1)) == self.models.count

    def alerts(self, device):
        """Of the device, once each, in their order; as the site's log has them."""
        made = {}
        for line in self.site.log("alarm"):
            if (at := line.find("{")) >= 0 and (alert := json.loads(line[at:])).get("deviceID") == device:
                made[(alert["boot"], alert["seq"])] = alert
        return [made[key] for key in sorted(made)]

    def judged(self, device, settings):
        """The alerts about the device's story, told by a level 2 with these settings."""
        self.site.environment.update(settings)
        level2 = Service(self.site, "level2")
        try:
            wait_until("level 2 to be well", lambda: self.ops("/healthz"), 60)
            name = self.models.publish(bias=BIAS)
            with self.site.wire(self.site.service("rollout")) as control:
                self.assertEqual(control.connect("rollout"), 0)
                control.publish("control-message", json.dumps({"command": "download-model", "payload": name}))
            wait_until("the model", self.newest_runs, 60)
            with self.site.joined(device) as wire:
                for number, value in enumerate(STORY, 1):
                    reading = {"deviceID": device, "timeStamp": str(START_MS + 1000 * number), "boot": 1,
                               "seq": number, **dict.fromkeys(CHANNELS, value)}  # fmt: skip
                    self.assertLess(wire.publish(DATA, json.dumps(reading)), 0x80)
            found = wait_until("the alerts", lambda: (a := self.alerts(device)) and len(a) >= len(ALARMED) and a, 60)
            self.assertEqual({alert["model"] for alert in found}, {name})
            return found
        finally:
            level2.stop()

    def over(self, stream):
        if stream not in self.heard:
            self.heard[stream] = self.judged(DEVICES[stream], {"STATOR_LEVEL2_STREAM": stream})
        return self.heard[stream]

    def test_1_the_alerts_are_what_the_model_says(self):
        rows = [[STORY[i]] * len(CHANNELS) for i in ALARMED]
        expected = self.models.values(self.models.with_bias(BIAS), rows)
        found = self.over("log")
        self.assertEqual([alert["timeStamp"] for alert in found], [str(START_MS + 1000 * (i + 1)) for i in ALARMED])
        for alert, value in zip(found, expected):
            self.assertAlmostEqual(alert["inference"], value, places=6)
        self.assertEqual([alert["severity"] for alert in found], ["potential", "imminent", "imminent", "potential", "none"])
        self.assertEqual([alert["alarm"] for alert in found], [True] * 4 + [False])

    def test_2_kafka_gives_the_same(self):
        expected = [without_number(alert) for alert in self.over("log")]
        self.assertEqual([without_number(alert) for alert in self.over("kafka")], expected)
        there = self.kafka.kcat("-C", "-t", ALERTS, "-e", "-q", "-o", "beginning").decode().splitlines()
        told = [json.loads(line) for line in there]
        told = [without_number(alert) for alert in told if alert["deviceID"] == DEVICES["kafka"]]
        self.assertEqual(told, expected, "and they are in Kafka, too")

    def test_3_the_broker_alone_gives_the_same(self):
        self.assertEqual([without_number(alert) for alert in self.over("mqtt")],
                         [without_number(alert) for alert in self.over("log")])  # fmt: skip

    @unittest.skipUnless(LIBRARY.exists(), f"{LIBRARY} is not here: ./setup --test fetches it")
    def test_4_the_other_engine_gives_the_same_verdicts(self):
        settings = {"STATOR_LEVEL2_STREAM": "log", "STATOR_LEVEL2_ENGINE": ENGINE}
        found = self.judged(DEVICES["engine"], settings)
        self.assertIn("TensorFlow Lite", (self.site.state / "journal/level2-test.log").read_text())
        for alert, expected in zip(found, self.over("log"), strict=True):
            self.assertAlmostEqual(alert["inference"], expected["inference"], delta=ENGINE_DIFFERENCE_MAX)
            for key in ("timeStamp", "severity", "alarm"):
                self.assertEqual(alert[key], expected[key])


if __name__ == "__main__":
    unittest.main()
