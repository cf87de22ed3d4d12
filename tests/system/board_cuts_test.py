"""The emulated board loses its power at random moments of model updates, again and again."""
import random
import re
import time
import unittest

from board_models import BoardWithModels
from stator_site import LONG, wait_until

CUTS = 100 if LONG else 6


class BoardCuts(BoardWithModels):
    def started(self, boot):
        return any(event["boot"] == boot for event in self.events("started"))

    def test_after_every_cut_a_valid_model_runs_and_its_release_never_falls(self):
        seed = 7
        chance = random.Random(seed)
        releases = {self.name: self.manifest["release"]}
        runs, boot, taken = self.name, 1, 0
        for cut in range(CUTS):
            wait_until(f"start {boot}", lambda b=boot: self.started(b), 60)
            name = f"cut-{cut}.tflite"
            releases[name] = self.manifest["release"] + 1 + cut
            self.offer(name, self.sign(self.made(name, release=releases[name])))
            wait_until("the update to begin",
                       lambda n=name: any(n in path for path, _ in self.registry.asked), 60)
            time.sleep(chance.uniform(0, 1.5))  # not to wait for something: this is the cut
            self.board.stop()
            before = len(self.board.text())
            self.board.start()
            boot += 1
            again = wait_until(f"a model to run after cut {cut} (seed {seed})", lambda b=before: (
                m := re.search(r"^runs (\S+)\n", self.board.text()[b:], re.MULTILINE)
            ) and m.group(1), 60)
            self.assertIn(again, (runs, name))
            self.assertGreaterEqual(releases[again], releases[runs])
            taken += again != runs
            runs = again
        self.assertNotIn("!!", self.board.text())
        print(f"{CUTS} cuts: {taken} updates were whole before theirs, {CUTS - taken} were not")


if __name__ == "__main__":
    unittest.main()
