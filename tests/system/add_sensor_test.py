"""A fifth channel, as docs/add-a-sensor.md says: configuration and a driver, no line of the core."""
import json
import re
import struct
import subprocess
import tempfile
import pathlib
import unittest

from board_site import Board
from firmware_build import build_firmware
from stator_site import ROOT, STATOR, Site, wait_until

COUNTS = 2457  # 5.0 bar


def channel_of_the_page():
    """The page's own example, so that it stays true."""
    page = (ROOT / "docs/add-a-sensor.md").read_text()
    lines = re.search(r"^    (\[\[asset\.channel\]\]\n(?:    .+\n)+)", page, re.MULTILINE).group(1)
    return "\n".join(line.strip() for line in lines.splitlines()) + "\n"


class AddSensor(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="stator-sensor-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.state = self.folder / "site"
        (self.state / "run").mkdir(parents=True)
        (self.state / "stator.toml").write_text(
            '[ingest]\nmax_rows = 240\n[node]\ninterval_ms = 25\ndevice = "14333616"\n'
            '[demo]\nacceleration = 40.0\n'
            '[[asset]]\nid = "pump-1"\ntitle = "Pump 1"\ndevice = "14333616"\n'
            'class = "shaded-pole-motor"\nprofile = "shaded-pole-motor"\nmode = "act"\n'
            'effect_flow_min_l_per_min = 6\n' + channel_of_the_page()
        )
        self.counts = self.folder / "counts.bin"
        self.give([COUNTS - 2, COUNTS + 2] * 32)

    def give(self, counts):
        self.counts.write_bytes(struct.pack(f"<{len(counts)}H", *counts))

    def shown(self):
        done = subprocess.run(
            [STATOR, "node", "--try", "--state", self.state, "--source", f"pressure={self.counts}"],
            capture_output=True, text=True, timeout=30, check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        said = done.stdout.splitlines()
        # A heading and five channels; a heading, eight features, and the zone of the vibration.
        self.assertEqual(len(said), 6 + 9 + 1, done.stdout)
        return {line.split()[0]: line.split()[1:] for line in said[:6]}

    def test_try_shows_raw_and_physical_values(self):
        shown = self.shown()
        least, mean, most, value, unit, sensor = shown["pressure"]
        self.assertEqual((least, mean, most), (str(COUNTS - 2), f"{COUNTS}.0", str(COUNTS + 2)))
        self.assertAlmostEqual(float(value), (COUNTS - 819) * 0.003052, places=3)
        self.assertEqual((unit, sensor), ("bar", "fine"))
        for name in ("current", "temperature", "vibration", "sound"):
            self.assertEqual(shown[name][-1], "fine", shown)

    def test_try_tells_what_is_wrong_with_a_sensor(self):
        self.give([0] * 64)
        self.assertEqual(self.shown()["pressure"][-1], "disconnected")
        self.give([500, 3500] * 32)
        self.assertEqual(self.shown()["pressure"][-1], "noisy")
        self.give([700] * 63 + [701])  # -0.36 bar
        self.assertEqual(self.shown()["pressure"][-1], "implausible")
        self.give([])
        self.assertIn("no", self.shown()["pressure"])

    def test_a_source_for_no_channel_is_told(self):
        done = subprocess.run(
            [STATOR, "node", "--try", "--state", self.state, "--source", "humidity=x"],
            capture_output=True, text=True, timeout=30, check=False,
        )
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("humidity=x", done.stderr)

    def test_the_emulated_board_publishes_the_fifth_channel_and_runs_a_model_of_it(self):
        bench = self.folder / "bench"
        bench.mkdir()
        build_firmware()
        with Site("--bench", bench, "--no-fault", "--no-load-change", state=self.state) as site:
            board = Board(bench)
            self.addCleanup(board.close)
            board.wait_for_site(site)
            board.provision(site)
            board.start()
            board.wait_for("\nruns ")
            log = site.stator("log", "tail", "--class", "telemetry", "--count", "20").stdout
            readings = [json.loads(line[line.find("{"):]) for line in log.splitlines()
                        if '"features"' in line]
            self.assertTrue(readings, log)
            for reading in readings:  # the simulated motor's bench gives mid-rail: 3.75 bar
                self.assertAlmostEqual(reading["pressure"], (2048 - 819) * 0.003052, delta=0.02)
                self.assertIn("vibration_crest", reading["features"])
            name = re.search(r"^runs (\S+)", board.text(), re.MULTILINE).group(1)
            status, _, manifest = site.https("models", f"/manifest/{name}", identity="rollout")
            self.assertEqual(status, 200)
            self.assertEqual(json.loads(manifest.split(b"\n", 1)[1])["fold"]["features"], 13)


if __name__ == "__main__":
    unittest.main()
