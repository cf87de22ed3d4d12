"""The emulated board's own parts do what every port's must: its sessions against a real site over real TLS."""
import re
import struct
import time
import unittest

from board_models import BoardBesideSite
from firmware_build import BUILD
from stator_site import signed

BACKLOG = 2 << 20  # in the flash (memory.h)
CONTENT = bytes((31 * i + i // 256) & 0xFF for i in range(4321))


class BoardConformance(BoardBesideSite):
    first_words = "started by "

    @classmethod
    def firmware(cls):
        return (BUILD / "conformance_image.bin").read_bytes()

    @classmethod
    def before_start(cls):
        signature, text = signed(cls.site.state / "pki/model-signing.key", b"what was signed " * 9).split(b"\n", 1)
        cls.registry.files |= {"/quantized/file.tflite": CONTENT, "/quantized/breaks.tflite": CONTENT}
        cls.registry.cut.add("/quantized/breaks.tflite")
        texts = (b"/quantized/file.tflite", b"/quantized/breaks.tflite", bytes.fromhex(signature.decode()) + text)
        with open(cls.board.flash, "r+b") as flash:
            flash.seek(BACKLOG)
            flash.write(b"".join(struct.pack("<I", len(each)) + each for each in texts))

    def test_every_part_conforms_and_a_restart_goes_through_the_boot_stage(self):
        end, done = time.monotonic() + 300, 0
        while "boot: no whole firmware" not in self.board.text():
            said = re.findall(r"^(deliver .*|break off)$", self.board.text(), re.MULTILINE)
            for words in said[done:]:
                if words == "break off":
                    self.site.kill_broker()
                else:
                    self.publish(words.removeprefix("deliver "))
            done = len(said)
            self.assertNotIn("broken: ", self.board.text())
            self.assertLess(time.monotonic(), end, self.board.text()[-2000:])
            time.sleep(0.1)
        parts = re.findall(r"^the (\w+) conforms$", self.board.text(), re.MULTILINE)
        self.assertEqual(parts, ["verifier", "fetch", "link", "watchdog", "firmware"])
        self.assertEqual(done, 3)
        self.assertNotIn("/quantized/breaks.tflite", self.registry.cut)
        self.assertEqual(self.board.text().count("started by "), 1)


if __name__ == "__main__":
    unittest.main()
