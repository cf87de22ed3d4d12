"""Level 2's line socket and the sidecar, over the wire; each registry alone, and the learning tasks by hand."""
import json
import random
import re
import socket
import ssl
import subprocess
import threading
import unittest
import urllib.error
import urllib.request

from contract_test import multipart
from gate_site import GateSite
from kafka_broker import free_ports
from level2_swaps_test import CHANNELS, START_MS, Models, Service, asset_toml, own_ports
from stator_site import STATOR, wait_until

DEVICE = "load-1"
DATA = "shaded-pole-motor-sensor_data"


def reading(number, value=1.0, **more):
    return {"deviceID": DEVICE, "timeStamp": str(START_MS + 1000 * number), **dict.fromkeys(CHANNELS, value), **more}


class Foreign(threading.Thread):
    """Another inference process: answers c0, without a newline, and closes, as the reference's does."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.asked = []

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                text = peer.recv(8192)
                if not text:
                    continue
                message = json.loads(text)
                self.asked.append(message)
                peer.sendall(f"inference value from the edge tpu = {message['c0']}".encode())


class Line(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server_port, cls.models_port, cls.models_ops = free_ports(3)
        cls.site = GateSite(settings=own_ports())
        cls.addClassCleanup(cls.site.stop)
        toml = cls.site.state / "stator.toml"
        toml.write_text(toml.read_text() + asset_toml(DEVICE))
        cls.site.add(DEVICE)
        command = cls.site.broker_alone()
        # The contract's PORT is the sidecar's server; who serves three registries passes it over.
        cls.site.environment["PORT"] = str(cls.server_port)
        cls.registry = Service(cls.site, "registry")
        cls.addClassCleanup(cls.registry.stop)
        cls.models = cls.alone("models", cls.models_port, cls.models_ops)
        cls.addClassCleanup(cls.models.stop)
        broker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(broker.wait, 30)
        cls.addClassCleanup(broker.terminate)
        wait_until("the broker", lambda: cls.broker_answers(), 30)

    @classmethod
    def alone(cls, name, port, ops):
        """One registry as the reference's container has it."""
        return Service(cls.site, "registry", "--only", name,
                       environment={"PORT": str(port), "STATOR_PORTS_OPS_REGISTRY": str(ops)})  # fmt: skip

    @classmethod
    def broker_answers(cls):
        try:
            cls.site.joined(DEVICE).close()
            return True
        except OSError:
            return False

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.site.ports()["level2_line"]), timeout=20)

    def talk(self, peer, data):
        peer.sendall(data if isinstance(data, bytes) else json.dumps(data).encode())
        got = b""
        while not got.endswith(b"\n"):
            more = peer.recv(4096)
            if not more:
                break
            got += more
        self.assertLessEqual(len(got), 1024)
        return got.decode()

    def health(self, name):
        url = f"http://127.0.0.1:{self.site.ports()[name]}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metrics(self, name):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.site.ports()[name]}/metrics", timeout=5) as answer:
            return answer.read().decode()

    def listening(self):
        try:
            self.connect().close()
            return True
        except OSError:
            return False

    def status(self, port, path, form=None):
        """Of a registry's answer to the console; 0 while nobody serves there."""
        ca, certificate, key = self.site.service("console")
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(certificate, key)
        try:
            with urllib.request.urlopen(f"https://127.0.0.1:{port}{path}", form, 10, context=context) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            return 0

    def test_0_each_registry_alone_serves_its_own_paths_on_its_PORT(self):
        active, files = ("/confirmActivation", b"device_id=1"), ("/normalized_training_data", None)
        ports = iter(free_ports(4))
        for name, its, not_its in (("models", files, active), ("datasets", files, active),
                                   ("devices", active, files)):  # fmt: skip
            port = self.models_port
            if name != "models":
                port = next(ports)
                self.addCleanup(self.alone(name, port, next(ports)).stop)
            wait_until(f"the {name} alone", lambda: self.status(port, *its) == 200, 30)
            self.assertIn(self.status(port, *not_its), (404, 405), name)
        said = (self.site.state / "journal/registry-test.log").read_text(errors="replace")
        self.assertIn("PORT is passed over", said)

    def test_1_the_line_socket_serves_whoever_speaks_it(self):
        level2 = Service(self.site, "level2", environment={
            "MODEL_REGISTRY_URL": f"https://127.0.0.1:{self.models_port}/quantized"})  # fmt: skip
        before = self.fetched()
        try:
            wait_until("the line socket", self.listening, 30)
            with self.connect() as peer:
                self.assertIn("no model of class 'test-motor' runs yet", self.talk(peer, reading(1)))
            models = Models(self.site)
            self.addCleanup(models.connection.close)
            name = models.publish()
            with self.site.wire(self.site.service("rollout")) as control:
                self.assertEqual(control.connect("rollout"), 0)
                control.publish("control-message", json.dumps({"command": "download-model", "payload": name}))
                wait_until("the model", lambda: "stator_level2_model_release{" in self.metrics("ops_level2"), 30)
            self.assertEqual(self.fetched() - before, 2, "the manifest and the file, where it was told to")
            self.serves()
            self.bears_nonsense()
            text = self.metrics("ops_level2")
            self.assertRegex(text, r"stator_line_messages_total [1-9]")
            self.assertRegex(text, r"stator_line_nonsense_total [1-9]")
            self.assertEqual(self.health("ops_level2")[0], 200)
        finally:
            level2.stop()

    def fetched(self):
        """Answers of the models' own registry."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.models_ops}/metrics", timeout=5) as answer:
            found = re.search(r'^stator_registry_requests_total\{service="files",status="200"\} (\d+)',
                              answer.read().decode(), re.MULTILINE)  # fmt: skip
        return int(found.group(1)) if found else 0

    def serves(self):
        answer = "inference value from the edge tpu = 1\n"
        with self.connect() as peer:
            self.assertEqual(self.talk(peer, reading(1)), answer, "without a newline")
            self.assertEqual(self.talk(peer, json.dumps(reading(2)).encode() + b"\n"), answer)
            for byte in json.dumps(reading(3)).encode()[:-1]:
                peer.sendall(bytes([byte]))
            self.assertEqual(self.talk(peer, b"}"), answer, "byte by byte")
        with self.connect() as peer:  # it says nothing more, and still gets its answer
            peer.sendall(json.dumps(reading(4)).encode())
            peer.shutdown(socket.SHUT_WR)
            self.assertEqual(peer.recv(1024).decode(), answer)
            self.assertEqual(peer.recv(1024), b"", "then it is closed")

    def bears_nonsense(self):
        with self.connect() as peer:
            self.assertRegex(self.talk(peer, b"GET / HTTP/1.1\r\n"), "^error: ")
            self.assertRegex(self.talk(peer, b'{"deviceID":7}'), "^error: this is no telemetry")
            self.assertRegex(self.talk(peer, {"deviceID": "nobody"}), "^error: device 'nobody' is of no asset")
            self.assertRegex(self.talk(peer, {"deviceID": DEVICE, "c0": 1}), "^error: the reading has not all")
            self.assertRegex(self.talk(peer, reading(5)), "^inference value")
        with self.connect() as peer:
            peer.sendall(b'{"a":"' + b"x" * 100_000)
            self.assertRegex(peer.recv(1024).decode(), "not complete after 8192 bytes")
        peers = [self.connect() for _ in range(70)]
        try:
            self.assertRegex(peers[-1].recv(1024).decode(), "^error: 64 are connected")
            self.assertRegex(self.talk(peers[0], reading(6)), "^inference value", "the first goes on")
        finally:
            for peer in peers:
                peer.close()

    def test_2_the_sidecar_feeds_a_foreign_server_and_waits_for_it(self):
        sidecar = Service(self.site, "sidecar")
        try:
            wait_until("the sidecar", lambda: self.health("ops_sidecar")[0] == 200, 30)
            with self.site.joined(DEVICE) as wire:
                values = [0.1, 0.6, 0.9, 0.9, 0.2]
                for seq, value in enumerate(values, 1):
                    self.assertLess(wire.publish(DATA, json.dumps(reading(seq, value, boot=1, seq=seq))), 0x80)
            wait_until("it to say that nobody answers", lambda: self.health("ops_sidecar")[0] == 503, 30)
            self.assertIn(f"127.0.0.1:{self.server_port}", self.health("ops_sidecar")[1])
            wait_until("three attempts", lambda: self.failed_attempts() >= 3, 30)
            foreign = Foreign(self.server_port)
            foreign.start()
            self.addCleanup(foreign.listener.close)
            wait_until("every reading to be asked about", lambda: len(foreign.asked) >= len(values), 60)
            alerts = wait_until("the alerts", lambda: self.alerts(4), 30)
            self.assertEqual([(a["timeStamp"], a["severity"], a["alarm"]) for a in alerts], [
                (str(START_MS + 2000), "potential", True), (str(START_MS + 3000), "imminent", True),
                (str(START_MS + 4000), "imminent", True), (str(START_MS + 5000), "none", False)])  # fmt: skip
            self.assertAlmostEqual(alerts[1]["inference"], 0.9, places=6)
            self.assertEqual([m["seq"] for m in foreign.asked], [1, 2, 3, 4, 5], "each once, in order")
            wait_until("it to be well", lambda: self.health("ops_sidecar")[0] == 200, 30)
            second = Service(self.site, "level2")
            self.assertEqual(second.process.wait(30), 1, "of the two, one runs at a time")
            second.out.close()
        finally:
            sidecar.stop()

    def by_hand(self, *words, **environment):
        done = subprocess.run([STATOR, *words, "--state", self.site.state], capture_output=True, text=True,
                              env={**self.site.environment, **environment}, timeout=60, check=False)  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr

    def test_3_the_learning_tasks_run_by_hand_where_no_learn_runs(self):
        chance = random.Random(7)
        rows = [f"{DEVICE},{START_MS + 1000 * n}," + ",".join(f"{chance.gauss(5, 1):.4f}" for _ in CHANNELS)
                for n in range(300)]  # fmt: skip
        raw = "raw_sensor_training_data_2026-01-01T00:00:00:1767225600000.csv"
        csv = "\n".join([",".join(["deviceID,timeStamp", *CHANNELS]), *rows]) + "\n"
        models = Models(self.site)
        self.addCleanup(models.connection.close)
        models.send("POST", "/upload", *multipart(raw, csv.encode()))
        data_set = re.search(r"normalized_training_data_\S+", self.by_hand("extract", raw)).group(0)
        self.assertRegex(self.by_hand("drift"), rf"(?m)^{DEVICE}: \S")
        self.assertNotIn("train-model", "\n".join(self.site.log("control")))
        self.assertIn(f"announced: train-model {data_set}", self.by_hand("detect-drift", "--announce", data_set))
        (line,) = (line for line in self.site.log("control") if "train-model" in line)
        self.assertEqual(line.split()[2:4], ["learn", "control-message"])
        self.assertEqual(json.loads(line[line.find("{"):]), {"command": "train-model", "payload": data_set})
        said = self.by_hand("train", data_set, EPOCS="5")
        self.assertIn('learn.epochs (EPOCS) and learn.batch_size (BATCH_SIZE) change nothing', said)
        said = self.by_hand("train", data_set, EPOCS="5", STATOR_LEARN_FAMILY="classifier")
        self.assertIn("no classifier yet (0 windows of faults", said)
        self.assertNotIn("change nothing", said)
        self.assertIn("promoted", self.by_hand("quantise", data_set))

    def failed_attempts(self):
        found = re.search(r"^stator_sidecar_attempts_failed_total (\d+)", self.metrics("ops_sidecar"), re.MULTILINE)
        return int(found.group(1)) if found else 0

    def alerts(self, count):
        made = {}
        for line in self.site.log("alarm"):
            if (at := line.find("{")) >= 0:
                alert = json.loads(line[at:])
                made[(alert["boot"], alert["seq"])] = alert
        return list(made.values()) if len(made) >= count else None


if __name__ == "__main__":
    unittest.main()
