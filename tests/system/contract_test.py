"""Every wire name, port and endpoint of docs/contract.md, exercised over the wire on a running site."""
import json
import pathlib
import re
import subprocess
import unittest
import urllib.error
import uuid
import xml.etree.ElementTree as ElementTree

from stator_site import STATOR, Site, wait_until

DEVICE = "14333616"


def multipart(name, content):
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.site = Site("--no-fault")
        cls.addClassCleanup(cls.site.stop)
        cls.site.wait_for_step(5, 90)

    def upload(self, service, path, name, content, identity="console"):
        body, headers = multipart(name, content)
        return self.site.https(service, path, body, "POST", headers, identity)

    def subscribe(self, topic, count, seconds=20, identity="console"):
        """mosquitto_sub as a service: the first `count` payloads of a topic."""
        state = self.site.state
        process = subprocess.run(
            ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.site.ports()["mqtts"]), "-V", "5",
             "--cafile", state / "pki/ca.pem", "--cert", state / f"pki/{identity}.pem",
             "--key", state / f"pki/{identity}.key", "-i", identity, "-q", "1", "-t", topic,
             "-C", str(count), "-W", str(seconds)],
            capture_output=True, text=True, timeout=seconds + 10, check=False,
        )
        return process.stdout.splitlines()

    # Topics and messages
    def test_telemetry_has_the_contracts_members(self):
        lines = self.subscribe("shaded-pole-motor-sensor_data", 1, identity="bridge")
        self.assertEqual(len(lines), 1)
        message = json.loads(lines[0])
        self.assertIsInstance(message["deviceID"], str)
        for channel in ("current", "temperature", "vibration", "sound"):
            self.assertIsInstance(message[channel], (int, float))
        self.assertEqual(message["fft_data"], "true")
        self.assertTrue(message["timeStamp"].isdigit())

    def test_control_messages_are_the_contracts(self):
        log = self.site.stator("log", "tail", "--class", "control", "--all").stdout
        for command, payload in (
            ("extract-data", r"raw_sensor_training_data_.*:\d+\.csv"),
            ("train-model", r"normalized_training_data_.*:\d+\.csv"),
            ("download-model", r"\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d-model\.tflite"),
        ):
            self.assertRegex(log, rf'"command":"{command}","payload":"{payload}"')

    # Device registry
    def test_a_device_is_provisioned_by_operators_only_and_asks_whether_it_is_active(self):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        refused = self.site.https("devices", "/provisionDevice", b"device_id=77", "POST", form, None)
        self.assertIn(refused[0], (401, 403))
        operator = {**form, "Authorization": f"Bearer {self.site.token()}"}
        done = self.site.https("devices", "/provisionDevice", b"device_id=77", "POST", operator, None)
        self.assertEqual(done[0], 200, done[2])
        for identity, expected in ((DEVICE, b"TRUE"), ("no-such-device", b"FALSE")):
            answer = self.site.https(
                "devices", "/confirmActivation", b"device_id=" + identity.encode(), "POST", form, None
            )
            self.assertEqual((answer[0], answer[2]), (200, expected))
        self.assertEqual(self.site.https("devices", "/provisionDevice", identity=None)[0], 405)
        bad = self.site.https("devices", "/provisionDevice", b"device=77", "POST", operator, None)
        self.assertEqual(bad[0], 400)

    # Registries: both path sets on both ports
    def test_datasets_are_uploaded_listed_and_fetched_on_both_ports(self):
        for service in ("models", "datasets"):
            name = f"raw_sensor_training_data_2026-01-01T00:00:0{len(service)}:1767225600000.csv"
            content = b"deviceID,timeStamp,current,temperature,vibration,sound\n1,2,3,4,5,6\n"
            self.assertEqual(self.upload(service, "/upload", name, content)[0], 200)
            self.assertEqual(self.site.https(service, "/" + name)[2], content)
            self.assertEqual(self.upload(service, "/upload", name, content, None)[0], 401)

    def test_listings_are_xhtml_whose_last_link_is_the_newest_and_json_on_demand(self):
        for service in ("models", "datasets"):
            for path in ("/full", "/quantized", "/normalized_training_data", "/OTA_bin"):
                status, headers, body = self.site.https(service, path)
                self.assertEqual(status, 200, path)
                self.assertIn("html", headers["Content-Type"])
                links = [e.text for e in ElementTree.fromstring(body).iter() if e.tag.endswith("}a") or e.tag == "a"]
                as_json = self.site.https(service, path, headers={"Accept": "application/json"})
                names = json.loads(as_json[2])
                self.assertEqual(names, links, path)
                if path != "/OTA_bin":  # the others' names begin with their time
                    self.assertTrue(links, path)
                    self.assertEqual(links, sorted(links), path)
                for link in links:
                    self.assertEqual(self.site.https(service, f"{path}/{link}")[0], 200)

    def test_models_of_both_levels_and_their_manifests_are_there(self):
        models = json.loads(self.site.https("models", "/api/v1/models")[2])
        promoted = {m["level"]: m["name"] for m in models if m["state"] == "promoted"}
        self.assertEqual(set(promoted), {1, 2})
        for name in promoted.values():
            self.assertRegex(name, r"^\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d-model\.tflite$")
            status, _, envelope = self.site.https("models", "/manifest/" + name)
            self.assertEqual(status, 200)
            signature, manifest = envelope.split(b"\n", 1)
            self.assertRegex(signature.decode(), r"^[0-9a-f]{128}$")
            self.assertEqual(json.loads(manifest)["name"], name)

    def test_a_range_of_a_model_is_served(self):
        models = json.loads(self.site.https("models", "/api/v1/models")[2])
        name = models[0]["name"]
        whole = self.site.https("models", "/quantized/" + name)[2]
        status, headers, part = self.site.https(
            "models", "/quantized/" + name, headers={"Range": "bytes=10-19"}
        )
        self.assertEqual((status, part), (206, whole[10:20]))
        self.assertEqual(headers["Content-Range"], f"bytes 10-19/{len(whole)}")

    def test_what_is_wrong_is_refused_with_the_contracts_status(self):
        for service in ("models", "datasets"):
            self.assertEqual(self.site.https(service, "/quantized/nothing.tflite")[0], 404)
            self.assertIn(self.site.https(service, "/quantized/..%2f..%2fpki%2fca.key")[0], (400, 404))
            self.assertEqual(self.site.https(service, "/uploadModel")[0], 405)
            self.assertEqual(
                self.site.https(service, "/uploadModel", b"no form", "POST",
                                {"Content-Type": "text/plain"})[0], 400)
            self.assertEqual(self.upload(service, "/uploadQuantizedModel", "x.tflite", b"x")[0], 400)
            self.assertEqual(self.site.https(service, "/quantized", identity=None)[0], 401)

    def test_every_service_answers_health_and_metrics(self):
        ports = self.site.ports()
        # The bridge runs only where there is a Kafka, adopt with a map, the sidecar in level 2's place: their own tests ask them.
        elsewhere = ("ops_adopt", "ops_bridge", "ops_sidecar")
        names = [name for name in ports if name.startswith("ops_") and name not in elsewhere]
        self.assertGreaterEqual(len(names), 6)
        for name in names:
            for path, pattern in (("/healthz", "ok"), ("/metrics", "stator_")):
                text = subprocess.run(
                    ["python3", "-c",
                     "import sys,urllib.request;print(urllib.request.urlopen(sys.argv[1],timeout=5).read().decode())",
                     f"http://127.0.0.1:{ports[name]}{path}"],
                    capture_output=True, text=True, check=False,
                ).stdout
                self.assertIn(pattern, text, f"{name}{path}")

    # A sensor of one's own
    def test_the_printed_mosquitto_pub_line_works_as_it_stands(self):
        printed = self.site.stator("device", "add", "my-sensor").stdout
        line = next(l for l in printed.splitlines() if l.strip().startswith("mosquitto_pub"))
        sent = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
        self.assertEqual(sent.returncode, 0, sent.stderr)

        def shown():
            sensors = self.site.overview()["sensors"]
            return [s for s in sensors if s["device"] == "my-sensor" and s["values"]]

        values = wait_until("the reading on the page", shown, 10)[0]["values"]
        self.assertIn("current", values)

    # A device of the reference design, which knows no mutual TLS
    def publish_bare(self, identity, *credentials):
        """A legacy device's reading on the plain listener: mosquitto_pub's exit code."""
        reading = json.dumps({"deviceID": identity, "current": 0.5, "temperature": 30.25,
                              "vibration": 0.1, "sound": 0.2, "fft_data": "true"})
        return subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.site.ports()["mqtt"]), "-V", "5",
             "-i", identity, *credentials, "-q", "1", "-t", "shaded-pole-motor-sensor_data",
             "-m", reading],
            capture_output=True, text=True, timeout=20, check=False,
        ).returncode

    def test_a_listed_legacy_device_publishes_without_tls_and_nobody_else_does(self):
        self.assertNotEqual(self.publish_bare("no-exception"), 0)
        for identity, options in (("old-1", ()), ("old-2", ("--bare",))):
            printed = self.site.stator("device", "legacy", identity, *options).stdout
            line = next(l for l in printed.splitlines() if l.strip().startswith("mosquitto_pub"))
            sent = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
            self.assertEqual(sent.returncode, 0, sent.stderr)
            wait_until(
                f"the reading of {identity} on the page",
                lambda who=identity: [s for s in self.site.overview()["sensors"]
                                      if s["device"] == who and s["values"]],
                10,
            )
        log = self.site.stator("log", "tail", "--class", "telemetry", "--all").stdout
        self.assertRegex(log, r"legacy[^\n]*old-1|old-1[^\n]*legacy")
        self.assertNotEqual(self.publish_bare("old-1"), 0, "without its password")
        self.assertNotEqual(self.publish_bare("old-1", "-u", "old-1", "-P", "guessed"), 0)
        self.assertEqual(self.publish_bare("old-2"), 0)
        self.site.stator("device", "end-legacy", "old-2")
        wait_until("the exception to end", lambda: self.publish_bare("old-2") != 0, 5)

    def test_the_listener_without_tls_is_on_the_loopback_only(self):
        port = self.site.ports()["mqtt"]
        self.assertGreater(port, 0)
        listening = []
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for row in pathlib.Path(table).read_text().splitlines()[1:]:
                address, _, state = row.split()[1:4]
                if state == "0A" and int(address.split(":")[1], 16) == port:
                    listening.append(address.split(":")[0])
        self.assertEqual(listening, ["0100007F"])

    def test_the_log_can_be_followed(self):
        with subprocess.Popen([STATOR, "log", "tail", "--class", "telemetry", "--follow", "--count", "1",
                               "--state", self.site.state], stdout=subprocess.PIPE, text=True) as tail:  # fmt: skip
            numbers = [json.loads(line[line.find("{"):])["seq"] for line, _ in zip(tail.stdout, range(4))]
            tail.terminate()
            self.assertEqual(tail.wait(10), 0)
        self.assertEqual(numbers, sorted(set(numbers)), "each once, as they come")

    def test_a_stranger_may_not_look_at_the_console(self):
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.site.ask("/api/v1/overview", token="0" * 64)
        self.assertEqual(refused.exception.code, 401)

    def test_every_program_explains_itself(self):
        top = self.site.stator
        text = subprocess.run([str(STATOR), "--help"], capture_output=True,
                              text=True, check=True).stdout
        for command in ("init", "up", "demo", "node", "registry", "ingest", "learn", "level2",
                        "console", "sim", "device", "extract", "drift", "train", "quantise", "log"):
            self.assertRegex(text, rf"\b{command}\b")
        del top
        version = subprocess.run([str(STATOR), "--version"],
                                 capture_output=True, text=True, check=True).stdout
        self.assertTrue(re.match(r"stator \d+\.\d+\.\d+", version))


if __name__ == "__main__":
    unittest.main()
