"""The emulated board loses its power at random moments of model updates, again and again."""
import random
import re
import time
import unittest

from board_models import BoardWithModels
from board_site import FACTORY_MODEL
from stator_site import LONG, wait_until

CUTS = 100 if LONG else 6


class BoardCuts(BoardWithModels):
    def told_of(self, boot):
        """A start that was told of, not before this one: a starved emulator's watchdog may add to them."""
        last = max((event["boot"] for event in self.events("started")), default=0)
        return last if last >= boot else None

    def wait(self, what, condition):
        try:
            return wait_until(what, condition, 300)
        except AssertionError as error:
            raise AssertionError(f"{error}; the board said:\n{self.board.text()[-800:]}") from None

    def test_after_every_cut_a_valid_model_runs_and_its_release_never_falls(self):
        seed = 7
        chance = random.Random(seed)
        releases = {self.name: self.manifest["release"]}
        runs, boot, taken = self.name, 1, 0
        factory = bytes(range(256)) * 1024  # no update may touch it, whatever lies there
        with open(self.board.flash, "r+b") as flash:
            flash.seek(FACTORY_MODEL.start)
            flash.write(factory)
        for cut in range(CUTS):
            boot = self.wait(f"start {boot}", lambda b=boot: self.told_of(b))
            name = f"cut-{cut}.tflite"
            releases[name] = self.manifest["release"] + 1 + cut
            self.offer(name, self.sign(self.made(name, release=releases[name])))
            self.wait("the update to begin",
                      lambda n=name: any(n in path for path, _ in self.registry.asked))
            time.sleep(chance.uniform(0, 1.5))  # not to wait for something: this is the cut
            self.board.stop()
            before = len(self.board.text())
            self.board.start()
            boot += 1
            again = self.wait(f"a model to run after cut {cut} (seed {seed})", lambda b=before: (
                m := re.search(r"^runs (\S+)\n", self.board.text()[b:], re.MULTILINE)
            ) and m.group(1))
            self.assertIn(again, (runs, name))
            self.assertGreaterEqual(releases[again], releases[runs])
            taken += again != runs
            runs = again
        self.assertEqual(self.board.flash.read_bytes()[FACTORY_MODEL], factory)
        # An emulator that got no processor for 20 s is reset by its watchdog: counted, and no fault.
        hung = self.board.text().count("!! the watchdog was not fed")
        self.assertEqual(self.board.text().count("!!"), 2 * hung)
        print(f"{CUTS} cuts, {boot} starts, {hung} by the watchdog: {taken} updates were whole before theirs, {CUTS - taken} were not; "
              f"release {self.manifest['release']} to {releases[runs]}, never less")


if __name__ == "__main__":
    unittest.main()
