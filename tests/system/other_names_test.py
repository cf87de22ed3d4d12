"""A site whose topics have other names and whose default port is taken; what the operator's verbs say of it."""
import json
import os
import re
import socket
import subprocess
import unittest
import urllib.request

from stator_site import STATOR, Site

TOPICS = {
    "DATA_TOPIC": "plant-7/readings",
    "STATOR_TOPICS_LEVEL1": "plant-7/level1",
    "STATOR_TOPICS_LEVEL2": "plant-7/level2",
    "CONTROL-TOPIC": "plant-7/control",
}


class OtherNames(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # In the way of MQTT over TLS, on the port that a site takes by default.
        cls.squatter = socket.socket()
        cls.squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        cls.squatter.bind(("127.0.0.1", 8883))
        cls.squatter.listen(1)
        cls.addClassCleanup(cls.squatter.close)
        cls.site = Site(environment=TOPICS)
        cls.addClassCleanup(cls.site.stop)
        cls.site.wait_for_step(6, 120)

    def verb(self, *words, check=True):
        done = self.site.stator(*words, check=check)
        return done.stdout

    def test_a_taken_port_is_told_and_another_one_used(self):
        told = re.search(r"MQTT over TLS: port 8883 is taken, using (\d+)", self.site.text())
        self.assertIsNotNone(told, self.site.text()[:2000])
        self.assertEqual(self.site.ports()["mqtts"], int(told.group(1)))

    def test_the_loop_acts_over_topics_of_other_names(self):
        by_class = {
            name: self.verb("log", "tail", "--class", name, "--all")
            for name in ("telemetry", "alarm", "control")
        }
        for name, topic in (("telemetry", "plant-7/readings"), ("alarm", "plant-7/level1"),
                            ("alarm", "plant-7/level2"), ("control", "plant-7/control")):  # fmt: skip
            self.assertIn(topic, by_class[name])
        for text in by_class.values():
            for default in ("shaded-pole-motor-sensor_data", "motor-anomaly-level1-inference",
                            "motor-failure-alert-level2-inference", "control-message"):  # fmt: skip
                self.assertNotIn(default, text)

    def test_status_tells_of_processes_devices_and_the_log(self):
        text = self.verb("status")
        for process in ("supervisor", "registry", "ingest", "learn", "level2", "console", "node"):
            self.assertRegex(text, rf"(?m)^{process} +\d+  well$")
        device = re.search(r"(?m)^14333616 +([\d.]+) s +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$", text)
        self.assertIsNotNone(device, text)
        boot, seq, received, twice, missing, shed = map(int, device.groups()[1:])
        self.assertEqual(boot, 1)
        self.assertGreater(received, 200)
        self.assertGreaterEqual(seq + twice, received, "a gapless count")
        self.assertEqual((missing, shed), (0, 0), text)
        self.assertRegex(text, r"(?m)^telemetry +\d+ +\d+ +\d+ +\S+ +[\d.]+$")

    def test_metrics_count_each_device(self):
        port = self.site.ports()["ops_ingest"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        for figure in ("received", "duplicate", "missing", "shed"):
            self.assertRegex(text, rf'(?m)^stator_device_{figure}_messages(_total)?{{device="14333616"}} \d+$')

    def test_log_tells_what_it_holds_and_how_far_its_readers_are(self):
        held = self.verb("log", "ls", "--segments")
        for name in ("waveform", "telemetry", "alarm", "control"):
            self.assertRegex(held, rf"(?m)^ *{name}\b")
        offsets = self.verb("log", "offsets")
        self.assertRegex(offsets, r"(?m)^ingest\b.*\btelemetry\b.*\brequired\b")
        self.assertRegex(offsets, r"(?m)^console\b.*\boptional\b")
        self.assertIn("all well", self.verb("log", "verify"))

    def test_every_service_tells_its_version_and_its_help(self):
        for service in ("up", "demo", "registry", "ingest", "learn", "level2", "sidecar", "bridge", "adopt",
                        "console", "node", "extract", "drift", "train", "quantise"):  # fmt: skip
            for flag, wanted in (("--version", r"^stator \d+\.\d+\.\d+$"), ("--help", "--state")):
                done = subprocess.run([STATOR, service, flag], capture_output=True, text=True, timeout=20, check=False)
                self.assertEqual(done.returncode, 0, f"{service} {flag}: {done.stderr}")
                self.assertRegex(done.stdout.strip(), wanted, f"{service} {flag}")

    def test_z_each_learning_task_runs_by_hand(self):
        def newest(service, folder):
            status, _, body = self.site.https(service, folder, headers={"Accept": "application/json"})
            self.assertEqual(status, 200)
            return json.loads(body)[-1]

        raw, data_set = newest("datasets", "/"), newest("models", "/normalized_training_data")
        self.assertRegex(self.verb("extract", raw), r"pump-1: \d+ fresh rows, \d+ held back, \d+ of a fault")
        self.assertRegex(self.verb("drift"), r"(?m)^pump-1: \S")
        trained = re.findall(r"(?m)^trained: (\S+-model\.zip)$", self.verb("train", data_set))
        self.assertEqual(len(trained), 2, "one a level")
        for name in trained:
            status, _, body = self.site.https("models", f"/full/{name}")
            self.assertEqual((status, body[:2]), (200, b"PK"), name)
        text = self.verb("quantise", data_set)
        self.assertRegex(text, r"(?m)^(promoted|not promoted: what runs stays)$")
        stem = trained[0].removesuffix(".zip")
        self.assertIn(f"{stem}.tflite against", text, "the int8 model has its full-precision model's name")

    def test_names_that_a_broker_could_not_keep_apart_are_refused(self):
        done = subprocess.run(
            [STATOR, "status", "--state", self.site.state], capture_output=True, text=True, timeout=20,
            check=False, env={**os.environ, "DATA_TOPIC": "a/#"},
        )  # fmt: skip
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("topics.data", done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
