"""The whole loop in one process: same seed, same trace; another seed, another; all seven steps in it."""
import hashlib
import pathlib
import re
import subprocess
import tempfile
import time
import unittest

from stator_site import LONG, STATOR


def simulate(seed, trace):
    started = time.monotonic()
    done = subprocess.run(
        [STATOR, "sim", "--seed", str(seed), "--trace", trace],
        capture_output=True, text=True, check=False,
    )
    return done, time.monotonic() - started


def suspicions(report):
    """What level 2 suspected of each fault, beside what it was: right, not named, WRONG."""
    found = report[report.index("Kind of fault, by level 2"):]
    return re.findall(r"^    \S+: suspected .*: (right|not named|WRONG)$", found, re.MULTILINE)


class Sim(unittest.TestCase):
    def test_a_seed_is_the_whole_run(self):
        with tempfile.TemporaryDirectory() as folder:
            hashes, texts = [], []
            for number, seed in enumerate((7, 7, 8)):
                trace = pathlib.Path(folder) / f"{number}.trace"
                done, seconds = simulate(seed, trace)
                self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-2000:])
                hashes.append(re.search(r"trace hash ([0-9a-f]{64})", done.stdout).group(1))
                texts.append(trace.read_text())
                self.assertEqual(hashlib.sha256(trace.read_bytes()).hexdigest(), hashes[-1])
                print(f"seed {seed}: {hashes[-1]} in {seconds:.1f} s")
                self.assertEqual(suspicions(done.stdout), ["right", "right"], done.stdout[-3000:])
            self.assertEqual(hashes[0], hashes[1])
            self.assertEqual(texts[0], texts[1])
            self.assertNotEqual(hashes[0], hashes[2])
            for step in range(8):
                self.assertRegex(texts[0], rf"story: step {step}:")

    def control(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            trace = pathlib.Path(folder) / "trace"
            done = subprocess.run(
                [STATOR, "sim", "--seed", "7", "--trace", trace, *arguments],
                capture_output=True, text=True, check=False,
            )
            return done, trace.read_text()

    def test_a_model_with_one_flipped_byte_is_refused_and_the_old_one_stays(self):
        done, trace = self.control("--flip-model-byte")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(trace, r'"state":"refused".*"release":2,"reason":"the file\'s hash is not')
        self.assertRegex(done.stdout, r"level 1 runs \S+ \(release 1\)")

    def test_without_a_change_of_load_no_second_model_is_trained(self):
        done, _ = self.control("--no-load-change")
        self.assertIn("trainings 1,", done.stdout)

    def test_a_broken_sensor_is_an_alarm_of_its_own_and_no_machine_fault(self):
        for channel, fault in (("vibration", "stuck"), ("sound", "saturated"),
                               ("temperature", "disconnected"), ("vibration", "noisy")):
            done, trace = self.control("--no-fault", "--no-load-change", "--seconds", "90",
                                       "--sensor-fault", f"{channel}={fault}")
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn(f'"event":"sensor-fault","channel":"{channel}","fault":"{fault}"', trace)
            self.assertIn(f"14333616: sensor {channel} {fault}\n", trace)
            self.assertNotRegex(trace, r"14333616: level [12] at")
            self.assertIn("actions 0,", done.stdout)
            self.assertRegex(done.stdout, r"level 1 runs \S+ \(release 1\)")

    def test_a_healthy_motor_opens_no_valve(self):
        # A minute and a half of it here, ten minutes with --long.
        seconds = "600" if LONG else "90"
        done, _ = self.control("--no-fault", "--no-load-change", "--seconds", seconds)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("actions 0,", done.stdout)
        self.assertRegex(done.stdout, r"level 1 runs \S+ \(release 1\)")  # and a model was there to say so

    def test_a_blocked_backup_is_told(self):
        done, _ = self.control("--block-backup")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("effect not observed", done.stdout)

    @unittest.skipUnless(LONG, "many runs: ./test --long")
    def test_each_kind_of_fault_is_suspected_for_what_it_is(self):
        for kind in ("bearing-wear", "imbalance", "overload", "blocked-flow"):
            named = []
            for seed in range(1, 6):
                done = subprocess.run([STATOR, "sim", "--seed", str(seed), "--fault", kind],
                                      capture_output=True, text=True, check=False)  # fmt: skip
                named += suspicions(done.stdout)
            print(f"{kind}: {named.count('right')} right, {named.count('WRONG')} wrong of {len(named)}")
            self.assertEqual(len(named), 10, "one before and one after the change of load, each seed")
            self.assertNotIn("WRONG", named, kind)
            self.assertGreaterEqual(named.count("right"), 9, kind)

    @unittest.skipUnless(LONG, "many seeds: ./test --long")
    def test_the_loop_closes_for_many_seeds(self):
        failed = []
        for seed in range(100, 150):
            done, _ = simulate(seed, "/dev/null")
            if done.returncode != 0:
                failed.append(seed)
        self.assertEqual(failed, [])


if __name__ == "__main__":
    unittest.main()
