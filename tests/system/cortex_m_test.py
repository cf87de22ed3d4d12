"""The firmware's core on an emulated Cortex-M4: the host's bits, no heap, within its budgets."""
import contextlib
import io
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import budgets
from firmware_build import BUILD, build_firmware, tool
from stator_site import ROOT

HOST_BUILD = pathlib.Path(os.environ.get("STATOR_PROGRAM", ROOT / "build/release/stator")).parent
MODEL_AT = 0x21400000  # as in proof_main.cpp


def emulate(image, model):
    """What the image printed, and whether it ended well; QEMU counts instructions as time."""
    done = subprocess.run(
        [tool("qemu-system-arm"), "-M", "mps2-an386", "-display", "none", "-monitor", "none",
         "-serial", "stdio", "-nic", "none", "-kernel", image, "-icount", "shift=6",
         "-semihosting-config", "enable=on,target=native",
         "-device", f"loader,file={model},addr={MODEL_AT:#x},force-raw=on"],
        capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL,
    )
    return done.stdout, done.returncode


def pairs(kind, text):
    return dict(re.findall(rf"^{kind} (.+) = (\w+)$", text, re.MULTILINE))


class CortexM(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build_firmware()
        cls.image = BUILD / "proof_image.elf"
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        subprocess.run([HOST_BUILD / "tests/oracle/make_models", cls.folder], check=True)
        cls.tflite = cls.folder / "baseline13_pc_int8.tflite"
        model = cls.tflite.read_bytes()
        cls.packed = cls.folder / "model.bin"
        cls.packed.write_bytes(len(model).to_bytes(4, "little") + model)
        cls.board = emulate(cls.image, cls.packed)

    def host(self, tflite):
        return subprocess.run(
            [HOST_BUILD / "src/sense/port/host/proof/stator_proof_host", tflite],
            capture_output=True, text=True, timeout=60, check=False,
        )

    def test_the_board_and_the_host_give_the_same_bits(self):
        text, code = self.board
        self.assertEqual(code, 0, text)
        self.assertIn("proof done", text)
        host = self.host(self.tflite)
        self.assertEqual(host.returncode, 0, host.stdout)
        values = pairs("value", text)
        self.assertGreaterEqual(len(values), 10, text)
        self.assertEqual(values, pairs("value", host.stdout))
        for part in ("flash_conforms", "adc_conforms", "actuators_conform", "time_conforms", "entropy_conforms"):
            self.assertEqual(int(values[part], 16), 1, part)
        for name, value in values.items():
            print(f"{name}: {value} on both")

    def test_another_model_gives_other_bits(self):  # the comparison above can fail
        other = self.host(self.folder / "baseline13_float.tflite")
        self.assertEqual(other.returncode, 0, other.stdout)
        ours, theirs = pairs("value", self.board[0]), pairs("value", other.stdout)
        self.assertEqual(ours["features"], theirs["features"])
        for name in ("inference", "manifest", "node"):
            self.assertNotEqual(ours[name], theirs[name], name)

    def test_a_damaged_model_is_not_run(self):
        damaged = bytearray(self.packed.read_bytes())
        damaged[4 + 16:4 + 32] = b"\xff" * 16
        file = self.folder / "damaged.bin"
        file.write_bytes(damaged)
        text, code = emulate(self.image, file)
        self.assertNotEqual(code, 0)
        self.assertIn("missing: a model that loads", text)

    def test_the_images_have_no_heap(self):
        heap = re.compile(
            r"^(_*(malloc|calloc|realloc|free|sbrk)(_r)?|operator (new|delete).*|__cxa_throw)$"
        )
        for name in ("malloc", "_malloc_r", "_sbrk", "operator new(unsigned int)"):
            self.assertRegex(name, heap)
        images = sorted(BUILD.glob("*_image.elf"))
        self.assertGreaterEqual(len(images), 5, images)
        for image in images:
            symbols = subprocess.run(
                [tool("arm-none-eabi-nm"), "-C", image], capture_output=True, text=True, check=True
            ).stdout
            self.assertIn("stator_reset", symbols)
            names = re.findall(r"^[0-9a-f ]+ [A-Za-z] (.+)$", symbols, re.MULTILINE)
            self.assertEqual([name for name in names if heap.match(name)], [], image)

    def test_the_budgets_hold(self):
        costs = {name: int(number) for name, number in pairs("cost", self.board[0]).items()}
        budgets.hold(self, "proof_image", budgets.sizes(self.image) | costs)

    def test_the_boot_stage_keeps_to_its_budget(self):
        budgets.hold(self, "boot_image", budgets.sizes(BUILD / "boot_image.elf"))

    def test_a_budget_that_is_passed_or_not_held_to_fails(self):
        limits = {"flash": 100, "stack": 10}
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            budgets.hold(self, "an example", {"flash": 100, "stack": 9}, limits)
            for spent in ({"flash": 101, "stack": 10}, {"flash": 100}, limits | {"heap": 0}):
                with self.assertRaises(AssertionError):
                    budgets.hold(self, "an example", spent, limits)
        self.assertIn("budget an example stack: 9 of 10\n", printed.getvalue())

    def test_the_device_is_promised_to_fit_its_chip(self):  # whoever raises a line sees this
        device = budgets.budgets_of("node_image")
        self.assertLessEqual(device["flash"], 192 << 10)
        self.assertLessEqual(device["static_ram"], 160 << 10)
        self.assertLessEqual(device["tls_pool"], 32 << 10)

    def test_instructions_are_counted_not_timed(self):
        again, _ = emulate(self.image, self.packed)
        self.assertEqual(pairs("cost", again), pairs("cost", self.board[0]))


if __name__ == "__main__":
    unittest.main()
