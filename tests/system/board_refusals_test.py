"""Models that the emulated board must not run, served over real TLS: each is refused, with its reason."""
import hashlib
import json
import re
import unittest

from board_models import DEVICE, BoardWithModels
from board_site import FACTORY_MODEL
from stator_site import wait_until


class BoardRefusals(BoardWithModels):
    def refused(self, why, envelope, tflite=None):
        name = f"{self.id().split('.')[-1]}.tflite"[-64:].lstrip("_")
        self.offer(name, envelope(name), tflite)
        event = self.event(name, "refused", "trial", "confirmed")
        self.assertEqual((event["state"], event["reason"]), ("refused", why), event)
        runs = re.findall(r"^runs (\S*)", self.board.text(), re.MULTILINE)
        self.assertEqual(set(runs), {self.name})  # nothing else has run, for no moment

    def test_a_model_that_nobody_signed_is_refused(self):
        self.refused("the signature does not verify",
                     lambda name: b"0" * 128 + b"\n" + self.made(name))

    def test_a_manifest_without_a_signature_is_refused(self):
        self.refused("the manifest's envelope cannot be read", self.made)

    def test_a_model_that_somebody_else_signed_is_refused(self):
        self.refused("the signature does not verify", lambda name: self.sign(
            self.made(name), self.site.state / "pki/server.key"))

    def test_a_manifest_that_was_changed_is_refused(self):
        def changed(name):
            signature = self.sign(self.made(name)).split(b"\n", 1)[0]
            return signature + b"\n" + self.made(name, arena_bytes=1)

        self.refused("the signature does not verify", changed)

    def test_a_release_that_does_not_rise_is_refused(self):
        self.refused("its release does not rise", lambda name: self.sign(
            self.made(name, release=self.manifest["release"])))

    def test_a_truncated_model_is_refused(self):
        self.refused("its size is not what the manifest says",
                     lambda name: self.sign(self.made(name)), self.tflite[:-64])

    def test_a_truncated_model_that_says_so_is_refused(self):
        half = self.tflite[:len(self.tflite) // 2]  # well signed, and no model
        name = "half-a-model.tflite"
        self.offer(name, self.sign(self.made(
            name, bytes=len(half), sha256=hashlib.sha256(half).hexdigest())), half)
        event = self.event(name, "refused", "trial", "confirmed")
        self.assertEqual(event["state"], "refused", event)
        self.assertNotIn(event["reason"], ("", "the file's hash is not its manifest's"))

    def test_a_model_with_a_flipped_bit_is_refused(self):
        flipped = bytearray(self.tflite)
        flipped[len(flipped) // 2] ^= 1
        self.refused("the file's hash is not its manifest's",
                     lambda name: self.sign(self.made(name)), bytes(flipped))

    def test_a_model_that_is_too_large_is_refused(self):
        self.refused("the model does not fit the slot",
                     lambda name: self.sign(self.made(name, bytes=2 << 20)))

    def test_a_manifest_that_is_too_large_is_refused(self):
        self.refused("the manifest is larger than this device can hold",
                     lambda name: self.sign(self.made(name, card={"text": "x" * 40_000})))

    def test_a_model_with_another_golden_result_is_refused(self):
        golden = json.loads(json.dumps(self.manifest["golden"]))
        golden["values"][-1] += 0.25
        self.refused("its golden sequence gives another result here",
                     lambda name: self.sign(self.made(name, golden=golden)))

    def test_a_model_that_the_registry_does_not_have_is_refused(self):
        name = "not-there.tflite"
        self.offer(name, None)
        self.assertEqual(self.event(name, "refused")["reason"], "the registry does not have it")

    # Last, for it succeeds: what was refused above was refused for its fault.
    def test_zz_a_good_one_is_taken_where_its_download_broke_and_outlives_a_power_cut(self):
        name = "good.tflite"
        self.registry.cut.add(f"/manifest/{name}")
        self.offer(name, self.sign(self.made(name)))
        event = self.event(name, "refused", "confirmed")
        self.assertEqual((event["state"], event["reason"]), ("confirmed", ""))
        offsets = [at for path, at in self.registry.asked if path == f"/manifest/{name}"]
        self.assertEqual(offsets, sorted(offsets))  # never from the beginning again
        self.assertLess(len(set(offsets)), len(offsets))  # and the broken chunk twice
        self.board.stop()
        before = len(self.board.text())
        self.board.start()
        wait_until("the board to run it again",
                   lambda: f"runs {name}" in self.board.text()[before:], 60)
        # What it tells comes after what it subscribed to: from then on it hears commands.
        wait_until("the board's second start",
                   lambda: any(e["boot"] == 2 for e in self.events("started")), 60)
        self.offer("old.tflite", self.sign(self.made("old.tflite")))
        event = self.event("old.tflite", "refused", "trial", "confirmed")
        self.assertEqual(event["reason"], "its release does not rise")

    def test_zzz_with_both_slots_lost_the_factorys_model_runs_and_the_release_stays(self):
        name = "factory.tflite"
        file = self.board.folder / name
        file.write_bytes(self.tflite)
        file.with_name(f"{name}.manifest").write_bytes(self.sign(self.made(name, release=1)))
        self.board.stop()
        self.board.provision(self.site, models_port=self.registry.server_address[1], model=file)
        image = bytearray(self.board.flash.read_bytes())
        # A device on this machine is given the same bytes; nobody is given what nobody signed.
        self.site.stator("device", "factory-model", DEVICE, file)
        given = (self.site.state / "nodes" / DEVICE / "factory_model.bin").read_bytes()
        self.assertEqual(given, bytes(image)[FACTORY_MODEL][:len(given)])
        file.with_name("unsigned.tflite").write_bytes(self.tflite)
        file.with_name("unsigned.tflite.manifest").write_bytes(b"0" * 128 + b"\n" + self.made(name))
        refused = self.site.stator("device", "factory-model", DEVICE, file.with_name("unsigned.tflite"), check=False)
        self.assertIn("the signature does not verify", refused.stdout + refused.stderr)
        image[16 << 10:1 << 20] = b"\xff" * ((1 << 20) - (16 << 10))  # both slots
        self.board.flash.write_bytes(image)
        before = len(self.board.text())
        self.board.start()
        wait_until("the board to run its factory's model",
                   lambda: f"runs {name}\n" in self.board.text()[before:], 60)
        event = self.event(name, "factory")
        self.assertEqual((event["release"], event["reason"]), (1, "the manifest is not signed"))
        wait_until("the board's start to be told", lambda: any(
            e["model"] == name for e in self.events("started")), 60)
        self.offer("older.tflite", self.sign(
            self.made("older.tflite", release=self.manifest["release"])))
        event = self.event("older.tflite", "refused", "trial", "confirmed")
        self.assertEqual(event["reason"], "its release does not rise")
        self.offer("again.tflite", self.sign(self.made("again.tflite")))  # the one that was lost
        event = self.event("again.tflite", "refused", "confirmed")
        self.assertEqual((event["state"], event["reason"]), ("confirmed", ""))
        self.assertEqual(self.board.flash.read_bytes()[FACTORY_MODEL], bytes(image)[FACTORY_MODEL])


if __name__ == "__main__":
    unittest.main()
