"""Real Kafka: the harness itself, our door and stream on it, a stranger's client, and a whole site."""
import os
import pathlib
import re
import struct
import subprocess
import threading
import unittest
import urllib.request

from kafka_broker import Kafka, missing
from stator_site import LONG, STATOR, Site, wait_until

BUILD = STATOR.parent
LZ4 = 3


def batches(kafka, topic):
    """(records, codec) of each batch of the topic, from the node's own files."""
    found = []
    for file in sorted(kafka.directory.glob(f"data-1/{topic}-*/*.log")):
        data = file.read_bytes()
        at = 0
        while at + 61 <= len(data):
            (length,) = struct.unpack_from(">i", data, at + 8)
            if length <= 0:
                break
            (attributes,) = struct.unpack_from(">h", data, at + 21)
            (records,) = struct.unpack_from(">i", data, at + 57)
            found.append((records, attributes & 7))
            at += 12 + length
    return found


@unittest.skipIf(missing(), missing())
class OneNode(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = Kafka(partitions=2)

    @classmethod
    def tearDownClass(cls):
        cls.kafka.stop()

    def run_tests(self, program, only):
        done = subprocess.run(
            [BUILD / program, f"--gtest_filter={only}"],
            env={**os.environ, **self.kafka.environment()},
            capture_output=True,
            text=True,
            timeout=500,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-2000:])
        passed = re.search(r"PASSED  \] (\d+) tests", done.stdout)
        self.assertGreater(int(passed.group(1)), 5, done.stdout)

    def topics(self, pattern):
        return re.findall(rf'topic "({pattern})"', self.kafka.kcat("-L").decode())

    def test_what_is_acknowledged_is_there_after_a_kill(self):
        kafka = self.kafka
        kafka.kcat("-P", "-t", "kept", "-k", "7", "-X", "acks=all", input=b"one\ntwo\n")
        kafka.kill()
        kafka.start()
        read = ["-C", "-t", "kept", "-e", "-q", "-o", "beginning"]
        self.assertEqual(kafka.kcat(*read), b"one\ntwo\n")
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            with self.subTest(mechanism):
                self.assertEqual(kafka.kcat(*read, secure=mechanism), b"one\ntwo\n")

    def test_our_door_keeps_on_it_what_it_promises_and_a_stranger_reads_what_it_wrote(self):
        # Two of the brokers' absences are enough for every day.
        only = "*/real:*sha*" + ("" if LONG else ":-*AFullQueue*:*ACommitWhile*")
        self.run_tests("src/world/kafka/stator_kafka_test", only)
        (topic,) = self.topics(r"t\d+\.BrokersThatAreAway\w+")
        read = ["-C", "-t", topic, "-e", "-q", "-o", "beginning", "-f", "%k %s\\n"]
        expected = ["7 before"] + [f"7 {n}" for n in range(50)]
        self.assertEqual(self.kafka.kcat(*read).decode().split("\n")[:-1], expected)
        # What waited while the brokers were away went in one go; a lone record gains nothing.
        codecs = {codec for records, codec in batches(self.kafka, topic) if records > 10}
        self.assertEqual(codecs, {LZ4})

    def test_the_stream_is_the_same_on_it_and_its_records_are_as_the_format_says(self):
        self.run_tests("src/store/stream/stator_stream_test", "*/kafka_real")
        (topic,) = self.topics(r"s\d+\.KeepsTheOrder\w+\.telemetry")
        read = ["-C", "-t", topic, "-e", "-q", "-o", "beginning"]
        lines = self.kafka.kcat(*read, "-f", "%k|%T|%h|%s\\n").decode().split("\n")[:-1]
        self.assertEqual(len(lines), 20)
        for number, line in enumerate(lines, 1):
            key, stamp, headers, value = line.split("|", 3)
            self.assertEqual((key, stamp), ("7", "1700000000000"))
            self.assertIn("stator-topic=stator/data", headers)
            self.assertIn("stator-sender=7", headers)
            self.assertIn(f'"seq":{number},', value)


@unittest.skipIf(missing(), missing())
@unittest.skipUnless(LONG, "three nodes: with --long")
class ThreeNodes(unittest.TestCase):
    def test_one_node_may_die_and_comes_back_into_every_partition(self):
        with Kafka(nodes=3, partitions=3) as kafka:
            kafka.kcat("-P", "-t", "kept", "-X", "acks=all", input=b"one\n")
            kafka.wait_in_sync("kept")
            kafka.kill(2)
            kafka.kcat("-P", "-t", "kept", "-X", "acks=all", input=b"two\n")
            kafka.start(2)
            kafka.wait_in_sync("kept")
            read = kafka.kcat("-C", "-t", "kept", "-e", "-q", "-o", "beginning")
            self.assertEqual(sorted(read.split()), [b"one", b"two"])


class Carrier:
    """A stranger's bridge: mosquitto_sub into kcat. No headers, no numbers of its own."""

    data = "shaded-pole-motor-sensor_data"
    control = "control-message"

    def __init__(self, site, kafka):
        self.kafka = kafka
        pki = site.state / "pki"
        self.sub = subprocess.Popen(
            [
                "mosquitto_sub", "-h", "127.0.0.1", "-p", str(site.ports()["mqtts"]),
                "--cafile", pki / "ca.pem", "--cert", pki / "bridge.pem",
                "--key", pki / "bridge.key", "-i", "bridge", "-c", "-q", "1", "-F", "%t\t%p",
                "-t", self.data, "-t", self.control,
            ],
            stdout=subprocess.PIPE,
        )  # fmt: skip
        # kcat reads its input in blocks: what comes seldom is given to one of its own.
        self.safe = ["-E", "-q", "-K", "\t", "-X", "acks=all", "-X", "enable.idempotence=true"]
        self.stream = subprocess.Popen(
            ["kcat", "-b", kafka.bootstrap, "-P", "-t", self.data, *self.safe],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.carried = 0
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sub.kill()
        self.stream.kill()
        self.thread.join(60)
        self.sub.wait()
        self.stream.wait()
        self.sub.stdout.close()
        self.stream.stdin.close()

    def carry(self):
        for line in self.sub.stdout:
            topic, payload = line.split(b"\t", 1)
            device = re.search(rb'"deviceID":"([^"]*)"', payload)
            keyed = (device.group(1) if device else b"-") + b"\t" + payload
            if topic.decode() == self.control:
                self.kafka.kcat("-P", "-t", self.control, *self.safe, input=keyed)
                continue
            try:
                self.stream.stdin.write(keyed)
                self.stream.stdin.flush()
            except BrokenPipeError:
                return
            self.carried += 1


def metric(site, service, name):
    """The sum over its labels; 0 when there is none yet."""
    try:
        address = f"http://127.0.0.1:{site.ports()[service]}/metrics"
        with urllib.request.urlopen(address, timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return 0
    return sum(float(v) for v in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE))


@unittest.skipIf(missing(), missing())
class WholeSite(unittest.TestCase):
    def test_ingest_and_level_2_live_on_kafka_alone_and_outlast_its_absence(self):
        with Kafka() as kafka:
            password = kafka.directory / "password"
            password.write_text(kafka.environment()["STATOR_KAFKA_PASSWORD"] + "\n")
            environment = {
                "STATOR_INGEST_STREAM": "kafka",
                "STATOR_LEVEL2_STREAM": "kafka",
                "STATOR_KAFKA_BOOTSTRAP": kafka.secure_bootstrap,
                "STATOR_KAFKA_SECURITY": "sasl_ssl",
                "STATOR_KAFKA_CA": str(kafka.ca),
                "STATOR_KAFKA_USERNAME": "stator",
                "STATOR_KAFKA_PASSWORD_FILE": str(password),
            }
            with Site(environment=environment) as site:
                site.wait_for_step(2, 60)
                wait_until(
                    "readings in the log",
                    lambda: (site.overview() or {"loop": {"readings": 0}})["loop"]["readings"] > 100,
                )
                self.assertEqual(metric(site, "ops_ingest", "stator_ingest_rows_total"), 0)
                with Carrier(site, kafka):
                    site.wait_for_step(5, 90)
                    kafka.kill()
                    kafka.start()
                    # The fault that grows meanwhile is found by level 2, in readings that Kafka
                    # has only now, with a model that was announced by Kafka.
                    site.wait_for_step(6, 120)
                    wait_until(
                        "an alarm of level 2",
                        lambda: any(e["level"] == 2 for e in (site.overview() or {})["episodes"]),
                        60,
                    )
                    rows = metric(site, "ops_ingest", "stator_ingest_rows_total")
                    judged = metric(site, "ops_level2", "stator_level2_records_judged_total")
                    print(f"kafka site: {rows:.0f} rows, {judged:.0f} readings judged")
                    self.assertGreater(rows, 200)
                    self.assertGreater(judged, 100)

    def test_a_wrong_setting_is_named(self):
        with Site(environment={"STATOR_INGEST_STREAM": "kafak"}) as site:
            wait_until(
                "the key's name",
                lambda: any(
                    "ingest.stream must be log or kafka" in file.read_text(errors="replace")
                    for file in [*pathlib.Path(site.state).glob("journal/*.log"), site.output]
                    if file.is_file()
                ),
            )


if __name__ == "__main__":
    unittest.main(verbosity=2)
