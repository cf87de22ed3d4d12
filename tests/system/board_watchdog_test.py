"""The emulated board's watchdog is real, is fed by whole steps only, and the device tells that it bit."""
import re
import subprocess
import tempfile
import unittest

from board_models import BoardBesideSite
from board_site import Board
from firmware_build import BUILD, build_firmware, tool
from stator_site import Site, wait_until

PROGRAM_BEGIN = 0x10000
HANGS = b"\xfe\xe7"  # b .
RETURNS = b"\x00\x20\x70\x47"  # movs r0, #0; bx lr


def image_with(function, code):
    """The program, but that this function begins with these instructions."""
    names = subprocess.run([tool("arm-none-eabi-nm"), BUILD / "node_image.elf"],
                           capture_output=True, text=True, check=True).stdout
    # The link-time optimiser may have fitted it to its callers, and says so behind the name.
    found = re.findall(rf"^(\w+) [Tt] {function}[.\w]*$", names, re.MULTILINE)
    if len(found) != 1:
        raise AssertionError(f"{function} is not a function of the image")
    at = int(found[0], 16) - PROGRAM_BEGIN
    image = bytearray((BUILD / "node_image.bin").read_bytes())
    image[at:at + len(code)] = code
    return bytes(image)


class BoardThatHangs(BoardBesideSite):
    """A step of this firmware hangs when the site orders "lock-out"; all else is as it should be."""

    @classmethod
    def firmware(cls):
        return image_with("_ZN6stator4node5Actor8lock_outEbx", HANGS)

    def started(self, boot, seconds=60):
        return wait_until(f"start {boot} to be told of", lambda: next(
            (e for e in self.events("started") if e["boot"] == boot), None), seconds)

    def test_a_step_that_hangs_ends_in_a_reset_that_is_told_of(self):
        self.assertEqual(self.started(1)["cause"], "power-on")
        self.order("lock-out", "")
        self.board.wait_for("!! the watchdog was not fed", 120)
        self.assertEqual(self.started(2, 120)["cause"], "watchdog")
        self.assertEqual(self.board.text().count("boot: slot"), 2)
        self.assertIn("started by watchdog\n", self.board.text())
        self.board.stop()
        self.board.start()
        self.assertEqual(self.started(3, 120)["cause"], "power-on")  # a power cut takes the note


class BoardWithoutWholeSteps(unittest.TestCase):
    def test_a_loop_that_turns_without_whole_steps_does_not_feed_it(self):
        build_firmware()
        with tempfile.TemporaryDirectory(prefix="stator-board-") as folder:
            with Site("--bench", folder, "--no-fault", "--no-load-change") as site:
                board = Board(folder)
                self.addCleanup(board.close)
                board.wait_for_site(site)
                board.provision(site, image=image_with("_ZN6stator4node4Node4stepEv", RETURNS))
                board.start()
                board.wait_for("started by watchdog", 120)
                said = board.text()
                self.assertIn("started by power-on", said)
                self.assertGreaterEqual(said.count("cost readings = 0"), 3)  # it turned, for long
                self.assertNotIn("\nactivated", said)


if __name__ == "__main__":
    unittest.main()
