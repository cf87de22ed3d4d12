"""The whole loop in one process: same seed, same trace; another seed, another; all seven steps in it."""
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
                print(f"seed {seed}: {hashes[-1]} in {seconds:.1f} s")
            self.assertEqual(hashes[0], hashes[1])
            self.assertEqual(texts[0], texts[1])
            self.assertNotEqual(hashes[0], hashes[2])
            for step in range(8):
                self.assertRegex(texts[0], rf"story: step {step}:")

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
