"""Real Kafka: the harness itself, and what our own programs do with it."""
import os
import unittest

from kafka_broker import Kafka, missing


@unittest.skipIf(missing(), missing())
class OneNode(unittest.TestCase):
    def test_what_is_acknowledged_is_there_after_a_kill(self):
        with Kafka() as kafka:
            kafka.kcat("-P", "-t", "kept", "-X", "acks=all", input=b"one\ntwo\n")
            kafka.kill()
            kafka.start()
            read = kafka.kcat("-C", "-t", "kept", "-e", "-q", "-o", "beginning")
            self.assertEqual(read, b"one\ntwo\n")
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
                with self.subTest(mechanism):
                    read = kafka.kcat(
                        "-C", "-t", "kept", "-e", "-q", "-o", "beginning", secure=mechanism
                    )
                    self.assertEqual(read, b"one\ntwo\n")
            pid = kafka.processes[1].pid
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)


@unittest.skipIf(missing(), missing())
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


if __name__ == "__main__":
    unittest.main(verbosity=2)
