"""Fifteen minutes at half of the greatest rate: the memory of every process stays flat.

Only with STATOR_LONG=1. The whole site under `stator up` with its bridge and a real Kafka, 20 clients over mutual
TLS. The greatest rate is measured first, from the first message until Kafka has the last.
"""
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
import unittest

from gate_site import GateSite
from kafka_broker import Kafka, missing
from stator_site import LONG, STATOR, wait_until

LOAD = pathlib.Path(os.environ.get("STATOR_LOAD", STATOR.parent / "bench/mqtt_load"))
TOPIC = "shaded-pole-motor-sensor_data"
CLIENTS = 20
WINDOW = 20
SECONDS = int(os.environ.get("STATOR_SOAK_SECONDS", 900))
LOOK_S = 5
# Of a third of the run: what an allocator keeps is no leak, what grows with the messages is one.
GROWTH_MAX = 1.10
GROWTH_MB_MAX = 4


def memory_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


class SoakSite(GateSite):
    def __init__(self, kafka):
        super().__init__(
            environment={
                "STATOR_KAFKA_BOOTSTRAP": kafka.bootstrap,
                "STATOR_KAFKA_SECURITY": "plaintext",
                "MAX_ROWS": "4000000000",  # what arrives is no measurement: nothing shall be learnt from it
            },
            settings={"log.telemetry_bytes": 4 << 30},
        )

    def processes(self):
        """{name: pid} of the broker and of every service."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_text().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            if not entry.name.isdigit() or not any(str(self.state) in word for word in words):
                continue
            name = pathlib.Path(words[0]).name
            if name == "mosquitto":
                found["gate"] = int(entry.name)
            elif name == "stator":
                found[words[1]] = int(entry.name)
        return found


@unittest.skipUnless(LONG, "fifteen minutes: only in ./test --long")
@unittest.skipIf(missing(), missing())
class Soak(unittest.TestCase):
    def setUp(self):
        self.kafka = Kafka()
        self.addCleanup(self.kafka.stop)
        self.site = SoakSite(self.kafka)
        self.addCleanup(self.site.stop)
        folder = tempfile.TemporaryDirectory(prefix="stator-soak-")
        self.addCleanup(folder.cleanup)
        self.credentials = pathlib.Path(folder.name)
        for number in range(1, CLIENTS + 1):
            ca, certificate, key = self.site.add(f"load-{number}")
            own = self.credentials / f"load-{number}"
            own.mkdir()
            (own / "certificate.pem").symlink_to(certificate)
            (own / "key.pem").symlink_to(key)
        (self.credentials / "ca.pem").symlink_to(ca)
        self.kafka.kcat("-P", "-t", TOPIC, input=b"{}")
        self.boot = 0

    def arrived(self):
        answer = self.kafka.kcat("-Q", "-t", f"{TOPIC}:0:-1", check=False).decode()
        return int(answer.rsplit("offset", 1)[1]) if "offset" in answer else 0

    def load(self, seconds, rate):
        self.boot += 1
        words = [LOAD, self.site.ports()["mqtts"], CLIENTS, seconds, WINDOW, self.boot, rate, self.credentials]
        return subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True)

    def finish(self, load, before):
        output, _ = load.communicate(timeout=300)
        self.assertEqual(load.returncode, 0)
        acknowledged = json.loads(output)["acknowledged"]
        wait_until("all of it in Kafka", lambda: self.arrived() - before >= acknowledged, 300)
        return acknowledged

    def greatest_rate(self):
        before, begun = self.arrived(), time.monotonic()
        acknowledged = self.finish(self.load(10, 0), before)
        return acknowledged / (time.monotonic() - begun)

    def test_memory_stays_flat_at_half_of_the_greatest_rate(self):
        greatest = self.greatest_rate()
        print(f"greatest rate {greatest:.0f}/s", flush=True)
        begun_with = self.site.processes()
        for name in ("gate", "bridge", "ingest", "level2", "learn", "registry", "console"):
            self.assertIn(name, begun_with)
        seen = {name: [] for name in begun_with}
        before = self.arrived()
        load = self.load(SECONDS, int(greatest / 2))
        told = time.monotonic()
        while load.poll() is None:
            time.sleep(LOOK_S)  # between two looks
            for name, pid in begun_with.items():
                seen[name].append(memory_mb(pid))
            if time.monotonic() - told > 60:
                told = time.monotonic()
                print({name: round(values[-1], 1) for name, values in seen.items()}, flush=True)
        acknowledged = self.finish(load, before)
        self.assertEqual(self.site.processes(), begun_with, "a process died and was started again")
        grown = []
        for name, values in seen.items():
            third = len(values) // 3
            middle, last = (statistics.median(values[k * third : (k + 1) * third]) for k in (1, 2))
            print(f"{name:10} {middle:7.1f} MB in the middle third, {last:7.1f} MB in the last, at most {max(values):.1f}")
            if last > middle * GROWTH_MAX and last > middle + GROWTH_MB_MAX:
                grown.append(name)
        print(f"{acknowledged} messages in {SECONDS} s, all of them in Kafka", flush=True)
        self.assertEqual(grown, [])


if __name__ == "__main__":
    unittest.main()
