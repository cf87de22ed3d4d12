"""The disk fills in mid-load and has space again: nothing acknowledged is lost, nobody needs a hand."""
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import time
import unittest

from gate_site import GateSite
from mqtt_wire import Closed, reading
from stator_site import wait_until

DATA = "shaded-pole-motor-sensor_data"
LEVEL1 = "motor-anomaly-level1-inference"
REFUSED = 0x80
DISK_BYTES = 96 << 20
LEFT_BYTES = 3 << 20


class SmallDisk:
    """A file system of a few megabytes; `why_not` says why this machine gives none."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stator-disk-"))
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "stator-test", self.folder],
            capture_output=True, text=True,
        )  # fmt: skip
        self.why_not = done.stderr.strip() if done.returncode else ""

    def close(self):
        if not self.why_not:
            subprocess.run(["umount", "-l", self.folder], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def fill(self, left_bytes):
        self.filler = self.folder / "filler"
        with open(self.filler, "wb") as file:
            free = os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize
            os.posix_fallocate(file.fileno(), 0, free - left_bytes)

    def free(self):
        self.filler.unlink()


class DiskFull(unittest.TestCase):
    def test_nothing_acknowledged_is_lost_and_all_goes_on_by_itself(self):
        disk = SmallDisk()
        self.addCleanup(disk.close)
        if disk.why_not:
            self.skipTest(f"no small disk on this machine: {disk.why_not}")
        with GateSite(state=disk.folder / "site") as site:
            site.add("pump")
            running = self.running(site)
            disk.fill(LEFT_BYTES)

            acknowledged, refused_at = self.publish_until_refused(site)
            print(f"refused after {len(acknowledged)} readings with {LEFT_BYTES >> 20} MB left")
            self.assertGreater(len(acknowledged), 100)

            with site.joined("pump") as wire:  # the alarm log has its space from the start
                for seq in range(1, 51):
                    code = wire.publish(LEVEL1, reading("pump", seq, boot=2, inference=0.9, alarm=True))
                    self.assertLess(code, REFUSED, "an alarm was refused on a full disk")
            self.assertEqual(self.running(site), running, "a process died of the full disk")

            disk.free()
            after = wait_until("readings to be taken again", lambda: self.try_one(site, refused_at), 60)
            acknowledged.append(after)
            self.assertEqual(self.running(site), running, "a process was started anew")
            wait_until(  # the metrics' file had no space before
                "the refusals' metric",
                lambda: site.metric("stator_gate_refusals_total", 'reason="append"') > 0,
                10,
            )

            stored = site.sequences()
            self.assertEqual([seq for seq in acknowledged if ("pump", 1, seq) not in stored], [])
            alarms = "\n".join(site.log("alarm"))
            for seq in range(1, 51):
                self.assertIn(f'"boot": 2, "seq": {seq},', alarms)
            self.assertEqual(site.stator("log", "verify").returncode, 0)

    def running(self, site):
        """The site's processes, once all are up."""
        wait_until("every process", site.well, 30)
        children = pathlib.Path(f"/proc/{site.process.pid}/task/{site.process.pid}/children")
        return sorted(children.read_text().split())

    def publish_until_refused(self, site):
        """(the numbers acknowledged, the first that was not)."""
        acknowledged = []
        note = "x" * 8000
        with site.joined("pump") as wire:
            for seq in range(1, 5000):
                try:
                    if wire.publish(DATA, reading("pump", seq, note=note)) >= REFUSED:
                        return acknowledged, seq
                except (Closed, TimeoutError):
                    return acknowledged, seq
                acknowledged.append(seq)
        self.fail("the disk never got full")

    def try_one(self, site, seq):
        try:
            with site.joined("pump") as wire:
                return seq if wire.publish(DATA, reading("pump", seq)) < REFUSED else None
        except (Closed, ConnectionError, ssl.SSLError, TimeoutError):
            time.sleep(0.1)
            return None


if __name__ == "__main__":
    unittest.main()
