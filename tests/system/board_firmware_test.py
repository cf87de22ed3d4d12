"""The emulated board replaces its own program: the boot stage, real TLS, and everything that may not pass."""
import re
import struct
import subprocess
import time
import unittest

from board_models import BoardBesideSite
from firmware_build import BUILD, tool
from power_cuts import PowerCuts
from stator_site import LONG, wait_until

CUTS = 100 if LONG else 3
HEADER = 256
SLOTS = slice((1 << 20) + (8 << 10), (1 << 20) + (520 << 10))  # of programs (memory.h)


def place_in_image(symbol):
    names = subprocess.run([tool("arm-none-eabi-nm"), BUILD / "node_image.elf"],
                           capture_output=True, text=True, check=True).stdout
    address = int(re.search(rf"^(\w+) T {symbol}$", names, re.MULTILINE).group(1), 16)
    return address - 0x10000


class BoardFirmware(BoardBesideSite):
    """The tests run in the order of their names: each leaves the board with a confirmed firmware."""

    environment = {"STATOR_NODE_INTERVAL_MS": "250"}  # the emulator's time is for updates
    release = 1  # the highest that was confirmed
    update_s = (0, 0)  # when one was ordered here, and when it was confirmed

    @classmethod
    def image(cls, code=None):
        """The program; or one whose first instruction is `code`."""
        image = bytearray((BUILD / "node_image.bin").read_bytes())
        if code:
            at = place_in_image("main")
            image[at:at + len(code)] = code
        return bytes(image)

    @classmethod
    def packed(cls, release, image=None, **options):
        plain = cls.board.folder / "plain.bin"
        plain.write_bytes(image or cls.image())
        file = cls.board.pack(cls.site, plain, "packed.bin",
                              **{"release": release, "version": f"0.1.{release}", **options})
        return file.read_bytes()

    def offer(self, name, file):
        if file is not None:
            self.registry.files[f"/OTA_bin/{name}"] = file
        self.order("update-firmware", name)

    def firmware_event(self, release, *states, seconds=150):
        def last():
            time.sleep(0.5)  # reading the log costs the machine that the board is emulated on
            told = [e for e in self.events("firmware")
                    if e["release"] == release and e["state"] in states]
            return told[-1] if told else None

        try:
            return wait_until(f"release {release} to be {' or '.join(states)}", last, seconds)
        except AssertionError as error:
            told = [(e["release"], e["state"], e["reason"]) for e in self.events("firmware")]
            raise AssertionError(f"{error}; told: {told[-8:]}; the board said:\n"
                                 f"{self.board.text()[-800:]}\nasked: {self.registry.asked[-3:]}") from None

    def refused(self, why, file, release):
        starts = self.board.text().count("boot: slot")
        self.offer(f"{self.id().split('.')[-1]}.bin"[-60:].lstrip("_"), file)
        event = self.firmware_event(release, "refused", "confirmed")
        self.assertEqual((event["state"], event["reason"]), ("refused", why), event)
        self.assertEqual(self.board.text().count("boot: slot"), starts)  # nothing was restarted

    @classmethod
    def record(cls, at, magic):
        """The words of a log's last record in the flash image (docs/formats/node-flash.md)."""
        with open(cls.board.flash, "rb") as flash:
            flash.seek(at)
            log = flash.read(8192)
        records = [struct.unpack_from("<4s7I", log, n) for n in range(0, len(log), 32)]
        return max((r[1:7] for r in records if r[0] == magic), default=(0,) * 6)[1:]

    @classmethod
    def heard_of(cls, boot):
        """What it tells comes after what it subscribed to: from then on it hears commands."""
        wait_until(f"the board to tell of start {boot}", lambda: any(
            e["boot"] == boot for e in cls.events("started")), 60)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.heard_of(1)

    def test_a_newer_firmware_from_the_registry_is_tried_and_confirmed(self):
        self.assertIn("boot: slot 0\n", self.board.text())
        self.assertIn("firmware 0.1.0\n", self.board.text())
        name, file = "2.bin", self.packed(2)
        pki = self.site.state / "pki"
        (self.board.folder / name).write_bytes(file)
        sent = subprocess.run(
            ["curl", "-sS", "--cacert", pki / "ca.pem", "--cert", pki / "rollout.pem", "--key",
             pki / "rollout.key", "-F", f"file=@{self.board.folder / name}",
             f"https://localhost:{self.site.ports()['models']}/uploadFirmware"],
            capture_output=True, text=True, timeout=60, check=True)
        self.assertIn('"sha256"', sent.stdout)
        begun = time.monotonic()
        self.offer(name, None)
        event = self.firmware_event(2, "confirmed", "refused")
        type(self).update_s = (begun, time.monotonic())
        self.assertEqual((event["state"], event["reason"]), ("confirmed", ""), event)
        type(self).release = 2
        self.assertEqual(event["version"], "0.1.2")
        states = [e["state"] for e in self.events("firmware") if e["release"] == 2]
        self.assertEqual(states, ["downloading", "downloaded", "updating", "trial", "confirmed"])
        self.assertIn("boot: slot 1, on trial\nfirmware 0.1.2\n", self.board.text())
        starts = [(e["firmware"], e["cause"]) for e in self.events("started")]
        self.assertEqual(starts[-1], ("0.1.2", "restart"), starts)
        self.assertNotIn("!!", self.board.text())

    def test_b_a_firmware_that_nobody_signed_is_refused(self):
        file = bytearray(self.packed(50))
        file[96:160] = bytes(64)
        self.refused("the signature does not verify", bytes(file), 50)

    def test_b_a_firmware_that_somebody_else_signed_is_refused(self):
        self.refused("the signature does not verify",
                     self.packed(51, key=self.site.state / "pki/server.key"), 51)

    def test_b_a_header_that_was_changed_is_refused(self):
        file = bytearray(self.packed(2))
        file[8] = 52  # another release
        self.refused("the signature does not verify", bytes(file), 52)

    def test_b_an_older_firmware_is_refused(self):
        self.refused("its release does not rise", self.packed(1), 1)

    def test_b_a_truncated_firmware_is_refused(self):
        self.refused("its size is not what its header says", self.packed(53)[:-64], 53)

    def test_b_a_firmware_with_a_flipped_bit_is_refused(self):
        file = bytearray(self.packed(54))
        file[len(file) // 2] ^= 1
        self.refused("the file's hash is not its header's", bytes(file), 54)

    def test_b_a_firmware_that_is_too_large_is_refused(self):
        self.refused("it is larger than its slot",
                     self.packed(55, image=self.image() + bytes(256 << 10)), 55)

    def test_b_a_firmware_for_another_board_is_refused(self):
        self.refused("it is for another board", self.packed(56, board="esp32"), 56)

    def goes_back(self, release, code, seconds):
        boots = self.board.text().count("boot: slot")
        self.offer(f"{release}.bin", self.packed(release, self.image(code)))
        event = self.firmware_event(release, "refused", "confirmed", seconds=seconds)
        self.assertEqual(event["reason"], "its trial ended without a confirmation", event)
        passes = self.board.text().split("boot: slot")[1:]
        self.assertEqual(len(passes), boots + 2)
        self.assertIn("on trial", passes[-2])
        self.assertIn(f"firmware 0.1.{self.release}\n", passes[-1])

    def test_c_a_firmware_that_crashes_on_trial_goes_back(self):
        self.goes_back(60, b"\x00\xde", 150)  # udf #0

    def test_c_a_firmware_that_hangs_on_trial_is_ended_by_the_watchdog(self):
        self.goes_back(61, b"\xfe\xe7", 180)  # b .

    @unittest.skipUnless(LONG, "its deadline is two minutes away")
    def test_c_a_firmware_that_the_site_never_hears_goes_back_at_its_deadline(self):
        self.assertEqual(self.image().count(b"MQTT"), 1)
        stranger = self.image().replace(b"MQTT", b"MQTX")  # a protocol that no broker speaks
        self.offer("62.bin", self.packed(62, stranger))
        event = self.firmware_event(62, "refused", "confirmed", seconds=240)
        self.assertEqual(event["reason"], "its trial ended without a confirmation", event)

    def wait_for_firmware(self, what, before):
        """What the board has said since, as soon as it has reached the site. A starved emulator takes its time."""
        try:
            return wait_until(what, lambda: (
                said := self.board.text()[before:]) and "\nconnected\n" in said and said, 300)
        except AssertionError as error:
            raise AssertionError(f"{error}; the board said:\n{self.board.text()[-800:]}") from None

    def test_d_after_every_power_cut_a_valid_firmware_runs_and_its_release_never_falls(self):
        cuts = PowerCuts(11, self.board, self.registry, SLOTS)
        cuts.measure("/OTA_bin/2.bin", *self.update_s)
        for cut in range(CUTS):
            release = 100 + cut
            path = f"/OTA_bin/cut-{cut}.bin"
            self.registry.files[path] = self.packed(release)
            before = cuts.cut(lambda p=path: self.order("update-firmware", p.rsplit("/", 1)[1]), [path])
            said = self.wait_for_firmware(f"firmware to run after cut {cut}, seed {cuts.seed}", before)
            runs = int(re.search(r"^firmware 0\.1\.(\d+)$", said, re.MULTILINE).group(1))
            self.assertIn(runs, (self.release, release), f"cut {cut}, seed {cuts.seed}")
            self.assertGreaterEqual(self.record(1 << 20, b"FIRM")[1], self.release)
            cuts.count(runs == release)
            if runs == release:
                if "on trial" in said.split("\n", 1)[0]:
                    self.firmware_event(release, "confirmed")
                type(self).release = release
        self.assertNotIn("no whole firmware", self.board.text())
        if LONG:
            self.assertGreater(cuts.halfway, 0)
            self.assertGreater(cuts.whole, 0)
        print(f"firmware updates: {cuts}; {self.board.text().count('boot: slot')} starts; release {self.release}, never less")


if __name__ == "__main__":
    unittest.main()
