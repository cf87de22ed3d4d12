"""Real Kafka: the harness itself with three nodes, and a whole site."""
import pathlib
import unittest

from kafka_broker import Kafka, missing
from stator_site import LONG, Site, wait_until


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


@unittest.skipIf(missing(), missing())
class WholeSite(unittest.TestCase):
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
