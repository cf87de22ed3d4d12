"""What a site says of its devices and its log: duplicates and gaps of each, and for how many days the log lasts.

Kafka is away throughout, so the bridge is there and has somebody to miss. `stator status`, ingest's metrics and
the bridge's say the same.
"""
import re
import unittest
import urllib.request

from gate_site import GateSite
from kafka_broker import free_ports
from mqtt_wire import reading
from stator_site import wait_until

DATA = "shaded-pole-motor-sensor_data"
SENT = {
    "whole": [1, 2, 3, 4],
    "twice": [1, 2, 2, 3, 1],
    "gaps": [1, 2, 6, 9, 8],  # 3 to 5 and 7 never come, 8 comes late
}
EXPECTED = {  # received, duplicates, missing, shed
    "whole": (4, 0, 0, 0),
    "twice": (3, 2, 0, 0),
    "gaps": (5, 0, 4, 0),
}
METRICS = ("received", "duplicate", "missing", "shed")


class Status(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        (nobody,) = free_ports(1)
        cls.site = GateSite(environment={
            "STATOR_KAFKA_BOOTSTRAP": f"127.0.0.1:{nobody}",
            "STATOR_KAFKA_SECURITY": "plaintext",
        })  # fmt: skip
        cls.addClassCleanup(cls.site.stop)
        for device, numbers in SENT.items():
            cls.site.add(device)
            with cls.site.joined(device) as wire:
                for number in numbers:
                    wire.publish(DATA, reading(device, number))

    def metrics(self, process):
        url = f"http://127.0.0.1:{self.site.ports()[process]}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    def rows(self, heading):
        """{first word: the other words} of the table with that heading in `stator status`."""
        said = self.site.stator("status", check=False).stdout
        (table,) = (part for part in said.split("\n\n") if part.startswith(heading))
        return {words[0]: words[1:] for words in (line.split() for line in table.splitlines()[1:])}

    def test_each_devices_duplicates_and_gaps_are_metrics(self):
        def counted():
            found = self.metrics("ops_ingest")
            return {
                device: tuple(found.get(f'stator_device_{name}_messages{{device="{device}"}}') for name in METRICS)
                for device in SENT
            }

        wait_until("ingest to count them", lambda: counted()["gaps"][0] == EXPECTED["gaps"][0])
        self.assertEqual(counted(), EXPECTED)

    def test_each_devices_duplicates_and_gaps_are_in_status(self):
        rows = self.rows("device")
        self.assertEqual({device: tuple(map(int, rows[device][-4:])) for device in SENT}, EXPECTED)
        self.assertEqual(rows["gaps"][-6:-4], ["1", "9"], "boot and highest number")

    def test_the_days_that_the_log_lasts_are_in_metrics_and_in_status(self):
        days = 'stator_bridge_autonomy_days{class="telemetry"}'
        told = wait_until("the bridge's days of autonomy", lambda: self.metrics("ops_bridge").get(days), 60)
        self.assertGreater(told, 0)
        *_, by, status_days = self.rows("log")["telemetry"]
        self.assertEqual(by, "bridge", "what the log keeps is kept for the bridge")
        self.assertRegex(status_days, r"^\d+\.\d$")
        wait_until("the bridge to miss Kafka",
                   lambda: self.metrics("ops_bridge").get("stator_bridge_kafka_connected") == 0, 60)  # fmt: skip
        url = f"http://127.0.0.1:{self.site.ports()['ops_bridge']}/status"

        def status():
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.read().decode()

        wait_until("how long it lasts in the bridge's /status",
                   lambda: re.search(r"Kafka is away .*[\d.]+ (days|hours) at this rate", status()))  # fmt: skip


if __name__ == "__main__":
    unittest.main(verbosity=2)
