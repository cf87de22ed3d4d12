"""Level 2 over each of its streams and in its other engine: the same readings, the same alerts.

A device says the same story over MQTT each time; level 2 hears it from the log, from a real Kafka behind
the bridge, from the broker itself, and from the log again with TensorFlow Lite's library as engine.
Then the other consumers hear that Kafka: the sidecar, and ingest and learn, whose command goes through it.
"""
import contextlib
import json
import re
import sqlite3
import subprocess
import unittest
import urllib.error
import urllib.request

from gate_site import GateSite
from kafka_broker import PASSWORD, USER, Kafka, free_ports, missing
from level2_line_test import Foreign
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
ASKED_ABOUT, INGESTED = "to-the-sidecar", "to-ingest"


def without_number(alert):
    """What an alert says, but for who was told of, when in the stream, and by which upload."""
    return {k: v for k, v in alert.items() if k not in ("deviceID", "boot", "seq", "model", "release")}


@unittest.skipIf(missing(), missing())
class Streams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = Kafka(partitions=2)
        cls.addClassCleanup(cls.kafka.stop)
        names = ("ops_bridge", "ops_ingest", "ops_learn")
        cls.site = GateSite(settings={**own_ports(), **{f"ports.{n}": p for n, p in zip(names, free_ports(3))}})
        cls.addClassCleanup(cls.site.stop)
        toml = cls.site.state / "stator.toml"
        toml.write_text(toml.read_text() + "".join(map(asset_toml, (*DEVICES.values(), ASKED_ABOUT, INGESTED))))
        for device in (*DEVICES.values(), ASKED_ABOUT, INGESTED):
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

    def ops(self, path, name="ops_level2"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.site.ports()[name]}{path}", timeout=5) as answer:
                return answer.read().decode()
        except (OSError, urllib.error.URLError):
            return ""

    def metric(self, name, metric):
        found = re.search(rf"^{re.escape(metric)} (\d+)", self.ops("/metrics", name), re.MULTILINE)
        return int(found.group(1)) if found else 0

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
                    self.say(wire, device, number, value)
            found = wait_until("the alerts", lambda: (a := self.alerts(device)) and len(a) >= len(ALARMED) and a, 60)
            self.assertEqual({alert["model"] for alert in found}, {name})
            return found
        finally:
            level2.stop()

    def say(self, wire, device, number, value):
        reading = {"deviceID": device, "timeStamp": str(START_MS + 1000 * number), "boot": 1,
                   "seq": number, **dict.fromkeys(CHANNELS, value)}  # fmt: skip
        self.assertLess(wire.publish(DATA, json.dumps(reading)), 0x80)

    def in_kafka(self, topic):
        return self.kafka.kcat("-C", "-t", topic, "-e", "-q", "-o", "beginning").decode().splitlines()

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
        told = wait_until("the alerts in Kafka", lambda: (t := self.told_in_kafka()) and len(t) >= len(expected) and t, 60)
        self.assertEqual(told, expected, "and they are in Kafka, too")

    def told_in_kafka(self):
        """The bridge brings them there some time after the log has them."""
        told = [json.loads(line) for line in self.in_kafka(ALERTS)]
        return [without_number(alert) for alert in told if alert["deviceID"] == DEVICES["kafka"]]

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

    def test_5_ingest_and_learn_consume_from_kafka_and_command_through_it(self):
        self.site.environment.update({"STATOR_INGEST_STREAM": "kafka", "STATOR_LEARN_STREAM": "kafka",
                                      "MAX_ROWS": str(len(STORY))})  # fmt: skip
        services = [Service(self.site, name) for name in ("ingest", "learn")]
        try:
            self.tell_ingest(1, 2, 4)
            wait_until("the first rows", lambda: self.kept() == (3, 0), 60)
            services[0].kill()
            self.tell_ingest(5, 3, 3, 6, 7, 8)  # one is late, and comes again
            services[0].start()
            wait_until("its rows", lambda: self.kept() == (len(STORY), 1), 60)
            self.assertEqual(self.metric("ops_ingest", "stator_ingest_late_total"), 1)
            received = f'stator_device_received_messages{{device="{INGESTED}"}}'
            wait_until("the census of the log", lambda: self.metric("ops_ingest", received) == len(STORY), 60)
            wait_until("a task", lambda: self.metric("ops_learn", "stator_learn_tasks_done_total") >= 1, 60)
        finally:
            for service in services:
                service.stop()
        self.assertIn("extract-data", [json.loads(line)["command"] for line in self.in_kafka("control-message")])

    def tell_ingest(self, *numbers):
        with self.site.joined(INGESTED) as wire:
            for number in numbers:
                self.say(wire, INGESTED, number, STORY[number - 1])

    def kept(self):
        """Rows of the device, and what came again, as ingest has kept them."""
        file = self.site.state / "ingest/ingest.db"
        if not file.exists():
            return None
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as database:
            try:
                return database.execute("SELECT kept, duplicates FROM seen WHERE device = ?", [INGESTED]).fetchone()
            except sqlite3.OperationalError:
                return None  # it has just begun its file

    def test_6_the_sidecar_asks_about_what_kafka_gives(self):
        port = free_ports(1)[0]
        self.site.environment.update({"STATOR_SIDECAR_STREAM": "kafka", "STATOR_SIDECAR_SERVER": f"127.0.0.1:{port}"})
        foreign = Foreign(port)
        foreign.start()
        self.addCleanup(foreign.listener.close)
        sidecar = Service(self.site, "sidecar")
        try:
            with self.site.joined(ASKED_ABOUT) as wire:
                said = []

                def joined():  # a new group begins with what comes from then on
                    said.append(0.1)
                    self.say(wire, ASKED_ABOUT, len(said), said[-1])
                    return foreign.asked

                wait_until("its first question", joined, 60)
                for value in (0.6, 0.9, 0.2):
                    said.append(value)
                    self.say(wire, ASKED_ABOUT, len(said), value)
            wait_until("the last question", lambda: foreign.asked[-1]["seq"] == len(said), 60)
            first = foreign.asked[0]["seq"]
            self.assertEqual([q["seq"] for q in foreign.asked], list(range(first, len(said) + 1)), "each once, in order")
            alerts = wait_until("the alerts", lambda: (a := self.alerts(ASKED_ABOUT)) and len(a) >= 3 and a, 30)
            self.assertEqual([a["severity"] for a in alerts], ["potential", "imminent", "none"])
        finally:
            sidecar.stop()


if __name__ == "__main__":
    unittest.main()
