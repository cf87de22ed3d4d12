"""The profiles that stator.toml chooses, on a device that runs: what each measures is what arrives."""
import json
import math
import pathlib
import re
import subprocess
import tempfile
import unittest

from board_site import Board
from firmware_build import build_firmware
from stator_site import STATOR, Site, wait_until

ASSET = (
    '[ingest]\nmax_rows = 240\n[node]\ninterval_ms = 25\ndevice = "14333616"\n'
    '[demo]\nacceleration = 40.0\n'
    '[[asset]]\nid = "pump-1"\ntitle = "Pump 1"\ndevice = "14333616"\n'
    'class = "shaded-pole-motor"\nmode = "observe"\n'
)


class Profiles(unittest.TestCase):
    def state_of(self, lines):
        folder = tempfile.TemporaryDirectory(prefix="stator-profiles-")
        self.addCleanup(folder.cleanup)
        state = pathlib.Path(folder.name) / "site"
        (state / "run").mkdir(parents=True)
        (state / "stator.toml").write_text(ASSET + lines)
        return state

    def tried(self, state, *arguments):
        done = subprocess.run([STATOR, "node", "--try", "--state", state, *arguments],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def readings(self, site, wanted):
        """The newest readings, once one of them has the feature that is wanted and a model's value."""
        def there():
            log = site.stator("log", "tail", "--class", "telemetry", "--count", "20").stdout
            found = [json.loads(line[line.find("{"):]) for line in log.splitlines()
                     if f'"{wanted}"' in line and '"inference"' in line]
            return found
        return wait_until(f"readings with {wanted} that a model has judged", there, 120)

    def hold_to_the_reference_profile(self, readings):
        for reading in readings:
            self.assertEqual(sorted(reading["features"]), ["current_peak_hz", "sound_peak_hz", "vibration_peak_hz"])
            for name in ("current", "temperature", "vibration", "sound"):
                self.assertGreater(reading[name], 0, reading)
            for value in reading["features"].values():  # of 32 lines, 204.6 Hz apart
                self.assertTrue(0 < value < 13095 / 2, reading)
            # The mains has its line below the first: 50 Hz of 204.6.
            self.assertLess(reading["features"]["current_peak_hz"], 2 * 204.6)

    def test_the_reference_profile_in_sixteen_bit_integers_is_measured_judged_and_modelled(self):
        state = self.state_of('profile = "reference"\narithmetic = "q15"\n')
        with Site("--no-fault", "--no-load-change", state=state) as site:
            self.hold_to_the_reference_profile(self.readings(site, "vibration_peak_hz"))

    def test_the_emulated_board_measures_and_judges_by_the_reference_profile(self):
        build_firmware()
        state = self.state_of('profile = "reference"\n')
        with tempfile.TemporaryDirectory(prefix="stator-board-") as folder:
            with Site("--no-fault", "--no-load-change", "--bench", folder, state=state) as site:
                board = Board(folder)
                self.addCleanup(board.close)
                board.wait_for_site(site)
                board.provision(site)
                board.start()
                self.hold_to_the_reference_profile(self.readings(site, "vibration_peak_hz"))
                self.assertIn("connected", board.text())

    def test_condition_monitoring_tells_the_mains_its_rotor_and_the_zone(self):
        state = self.state_of('profile = "condition-monitoring"\n')
        healthy_db = 20 * math.log10(0.004) - 3.01  # the simulated rotor's own eccentricity
        text = self.tried(state)
        value = {line.split()[0]: line.split()[1:] for line in text.splitlines()}
        self.assertAlmostEqual(float(value["current_line_hz"][0]), 50.0, delta=0.03, msg=text)
        self.assertAlmostEqual(float(value["current_rotation_sideband_db"][0]), healthy_db, delta=1.5)
        self.assertEqual(value["current_rotation_sideband_db"][1], "dB")
        self.assertRegex(text, r"(?m)^vibration \d\.\d\d mm/s RMS: zone [AB] of ISO 20816 \(B from 0\.71,")
        with Site("--no-fault", "--no-load-change", state=state) as site:
            for reading in self.readings(site, "current_rotation_sideband_db"):
                features = reading["features"]
                self.assertEqual(len(features), 12, reading)
                self.assertAlmostEqual(features["current_line_hz"], 50.0, delta=0.03)
                self.assertAlmostEqual(features["current_rotation_sideband_db"], healthy_db, delta=1.5)
                self.assertLess(features["current_slip_sideband_db"], -60)
                self.assertAlmostEqual(features["current_line_rms"], reading["current"],
                                       delta=0.03 * reading["current"])
            overview = wait_until("the sentence to say how it shakes", lambda: next(
                (o for o in [site.overview()] if re.search(r"; vibration \d\.\d mm/s, zone [AB]$", o["sentence"])), None))
            self.assertIn(overview["vibration"]["zone"], ("A", "B"))
            refused = site.stator("device", "flash", "14333616", state / "flash.img", check=False)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("asset pump-1: line_hz is made on the host port alone", refused.stderr)

    def test_a_zone_beyond_b_is_said(self):
        state = self.state_of('profile = "shaded-pole-motor"\nzone_b_mm_per_s = 0.01\n'
                              'zone_c_mm_per_s = 0.02\nzone_d_mm_per_s = 100\n')
        self.assertRegex(self.tried(state), r"zone C of ISO 20816 \(B from 0\.01, C from 0\.02, D from 100 mm/s\)")


if __name__ == "__main__":
    unittest.main()
