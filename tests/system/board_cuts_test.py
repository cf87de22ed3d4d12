"""The emulated board loses its power at random moments of model updates, again and again."""
import re
import time
import unittest

from board_models import BoardWithModels
from board_site import FACTORY_MODEL
from power_cuts import PowerCuts
from stator_site import LONG, wait_until

CUTS = 100 if LONG else 6
SLOTS = slice(16 << 10, 1 << 20)  # of models (docs/formats/node-flash.md)


class BoardCuts(BoardWithModels):
    environment = {"STATOR_NODE_INTERVAL_MS": "250"}  # five readings are a trial

    def wait(self, what, condition):
        try:
            return wait_until(what, condition, 300)
        except AssertionError as error:
            raise AssertionError(f"{error}; the board said:\n{self.board.text()[-800:]}") from None

    def offer_release(self, name, release):
        self.registry.files[f"/manifest/{name}"] = self.sign(self.made(name, release=release))
        self.registry.files[f"/quantized/{name}"] = self.tflite
        return [f"/manifest/{name}", f"/quantized/{name}"]

    def test_after_every_cut_a_valid_model_runs_and_its_release_never_falls(self):
        factory = bytes(range(256)) * 1024  # no update may touch it, whatever lies there
        with open(self.board.flash, "r+b") as flash:
            flash.seek(FACTORY_MODEL.start)
            flash.write(factory)
        first = self.manifest["release"]
        releases = {self.name: first, "whole.tflite": first + 1}
        cuts = PowerCuts(7, self.board, self.registry, SLOTS)
        *_, path = self.offer_release("whole.tflite", first + 1)
        begun = time.monotonic()
        self.order("download-model", "whole.tflite")
        self.event("whole.tflite", "confirmed")
        cuts.measure(path, begun, time.monotonic())
        runs = "whole.tflite"
        for cut in range(CUTS):
            name = f"cut-{cut}.tflite"
            releases[name] = first + 2 + cut
            paths = self.offer_release(name, releases[name])
            before = cuts.cut(lambda n=name: self.order("download-model", n), paths)
            again = self.wait(f"a model to run after cut {cut} (seed {cuts.seed})", lambda b=before: (
                m := re.search(r"^runs (\S+)\n", self.board.text()[b:], re.MULTILINE)
            ) and m.group(1))
            self.assertIn(again, (runs, name))
            self.assertGreaterEqual(releases[again], releases[runs])
            cuts.count(again != runs)
            runs = again
            self.wait(f"the site after cut {cut}", lambda b=before: "\nconnected\n" in self.board.text()[b:])
        self.assertEqual(self.board.flash.read_bytes()[FACTORY_MODEL], factory)
        # An emulator that got no processor for 20 s is reset by its watchdog: counted, and no fault.
        hung = self.board.text().count("!! the watchdog was not fed")
        self.assertEqual(self.board.text().count("!!"), 2 * hung)
        if LONG:
            self.assertGreater(cuts.halfway, 0)
            self.assertGreater(cuts.whole, 0)
        print(f"model updates: {cuts}; {self.board.text().count('boot: slot')} starts, {hung} by the watchdog; "
              f"release {first} to {releases[runs]}, never less")


if __name__ == "__main__":
    unittest.main()
