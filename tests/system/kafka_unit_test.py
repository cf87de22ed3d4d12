"""Our door and stream on a real Kafka, and a stranger's client that reads what they wrote."""
import os
import pathlib
import re
import struct
import subprocess
import unittest

from kafka_broker import Kafka, missing
from stator_site import LONG

# Our door's and stream's own tests, under sanitizers, run once more with a real Kafka beside them.
BUILD = pathlib.Path(os.environ["STATOR_UNIT_TESTS"])
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
        self.assertTrue((BUILD / program).is_file(), f"no {BUILD / program}: build the target unit_tests")
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
