"""The device on the emulated board in lock-step with the simulated motor: ten minutes at 13,095 Hz, the same trace wherever and
however often, and the loop closed by what the device did.

Every sample of every channel is made by the motor (src/sim/stand) and goes into the board's converters, 262 a time; the board's
only clock is their number. Ten readings a second leave no sample out.
"""
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from firmware_build import BUILD, build_firmware, tool
from stator_site import LONG, ROOT

HOST_BUILD = pathlib.Path(os.environ.get("STATOR_PROGRAM", ROOT / "build/release/stator")).parent
LOCK_STEP = HOST_BUILD / "src/sim/stand/lock_step/stator_lock_step"
ORDER_AT = 0x21400000  # as in lock_step_main.cpp
RATE_HZ = 13_095
FRAME = 262  # samples
FRAMES = 30_000
RUNS = 10 if LONG else 2
TEXTS = ("trace.txt", "stand.txt")


class Run:
    """What the device's trace and the motor's say."""

    def __init__(self, folder):
        self.texts = {name: (folder / name).read_text() for name in TEXTS}
        self.trace, self.stand = ([self.event(line) for line in self.texts[name].splitlines()] for name in TEXTS)
        self.says = [json.loads(text) for _, what, text in self.trace if what == "says"]

    @staticmethod
    def event(line):
        sample, what, text = line.split(" ", 2)
        return int(sample), what, text

    def hashes(self):
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in self.texts.items()}

    def of(self, what, events=None):
        return [(sample, text) for sample, kind, text in events or self.trace if kind == what]


def lock_step(folder, *words):
    done = subprocess.run([LOCK_STEP, *map(str, words)], cwd=folder, capture_output=True, text=True, timeout=900,
                          check=False)
    if done.returncode != 0:
        said = folder / "emulator.txt"
        raise AssertionError(f"{words}: {done.returncode} {done.stderr} {said.read_text() if said.exists() else ''}")


class LockStep(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build_firmware()
        folder = tempfile.TemporaryDirectory(prefix="stator-lock-step-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.orders = {seed: cls.order(seed) for seed in (7, 8)}
        cls.here = cls.run_here("here", 7)

    @classmethod
    def order(cls, seed, frames=FRAMES):
        folder = cls.folder / f"order-{seed}-{frames}"
        folder.mkdir()
        lock_step(folder, "order", seed, 100, frames)
        return folder / "order"

    @classmethod
    def new_folder(cls, name, order):
        folder = cls.folder / name
        folder.mkdir()
        shutil.copy(order, folder / "order")
        return folder

    @classmethod
    def run_here(cls, name, seed, *words, order=None):
        folder = cls.new_folder(name, order or cls.orders[seed])
        lock_step(folder, "here", seed, *words)
        return Run(folder)

    @classmethod
    def run_board(cls, name, seed, *options):
        folder = cls.new_folder(name, cls.orders[seed])
        lock_step(
            folder, "with", seed, tool("qemu-system-arm"), "-M", "mps2-an386", "-display", "none", "-monitor", "none",
            "-serial", "stdio", "-nic", "none", "-kernel", BUILD / "lock_step_image.elf", "-semihosting-config",
            "enable=on,target=native", "-device", f"loader,file=order,addr={ORDER_AT:#x},force-raw=on", *options,
        )
        return Run(folder)

    def same(self, run, other, names):
        for name, text in run.texts.items():
            if text == other.texts[name]:
                continue
            ours, theirs = text.splitlines(), other.texts[name].splitlines()
            first = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
            self.fail(f"{name} of {names} part at line {first + 1}:\n{ours[first:first + 1]}\n{theirs[first:first + 1]}")

    def test_every_run_on_the_board_and_the_one_here_have_the_same_trace(self):
        for number in range(1, RUNS + 1):
            # Every second run counts instructions: its guest's clock is another one.
            options = ("-icount", "shift=6") if number % 2 == 0 else ()
            board = self.run_board(f"board-{number}", 7, *options)
            for name, digest in board.hashes().items():
                print(f"run {number} {' '.join(options)}: sha256 of {name} {digest}, {board.trace[-1][0]} samples a channel")
            self.same(board, self.here, f"the board's run {number} and the one here")
            self.assertEqual(board.hashes(), self.here.hashes())

    def test_ten_minutes_of_every_sample_went_through_the_features(self):
        samples = FRAME * FRAMES
        self.assertGreaterEqual(samples, 600 * RATE_HZ)
        readings = [sample for sample, _ in self.here.of("reading")]
        self.assertEqual(self.here.trace[-1][:2], (samples, "end"))
        self.assertLessEqual(readings[0], 1310 + FRAME)
        self.assertEqual(readings[-1], samples)
        gaps = [after - before for before, after in zip(readings, readings[1:])]
        self.assertLessEqual(max(gaps), 1310)  # the length of a reading's window
        self.assertGreaterEqual(len(readings), 5_990)

    def test_the_loop_closes_over_every_fault(self):
        run = self.here
        states = [event["state"] for event in run.says if event["event"] == "model"]
        self.assertEqual(states, ["downloading", "downloaded", "trial", "confirmed"])
        faults = run.of("breaks", run.stand)
        self.assertEqual([kind for _, kind in faults], ["bearing-wear", "imbalance", "blocked-flow"])
        self.assertEqual([kind for _, kind in run.of("repaired", run.stand)], [kind for _, kind in faults])
        # Nothing before a fault, one alarm in each, and its end after the repair.
        marks = sorted(faults + run.of("repaired", run.stand) + run.of("alarm"))
        words = ["0" if text == "0" else "1" if text == "1" else "fault" if (at, text) in faults else "repair"
                 for at, text in marks]
        self.assertEqual(words, ["fault", "1", "repair", "0"] * 3)
        actions = [event["state"] for event in run.says if event["event"] == "action"]
        plain = ["accepted", "sent", "acknowledged", "effect-observed", "released"]
        blocked = plain[:3] + ["effect-not-observed"] + plain[3:]
        self.assertEqual(actions, plain + blocked + plain)

    def test_the_servo_moves_a_degree_at_a_time_and_the_motor_hears_what_the_device_says(self):
        run = self.here
        for what in ("valve", "pump"):
            self.assertEqual(run.of(what), run.of(what, run.stand))
        ways = [int(text) for _, text in run.of("valve")]
        there_and_back = list(range(1, 181)) + list(range(179, -1, -1))
        self.assertEqual(ways, [0] + 3 * there_and_back)
        self.assertEqual([text for _, text in run.of("pump")], ["0"] + ["1", "0"] * 3)

    def test_a_motor_that_does_not_hear_the_device_is_left_with_its_fault(self):  # the loop is one
        deaf = self.run_here("deaf", 7, "deaf")
        self.assertEqual(deaf.of("repaired", deaf.stand), [])
        self.assertEqual([text for _, text in deaf.of("alarm")], ["1"])
        actions = [event["state"] for event in deaf.says if event["event"] == "action"]
        self.assertEqual(actions, ["accepted", "sent", "acknowledged", "effect-not-observed"])
        # Until the valve was open nothing could be told apart, and from then on everything.
        ours, theirs = self.here.of("reading"), deaf.of("reading")
        first = next(i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b)
        opened = next(at for at, text in deaf.of("actor") if text == "2")
        self.assertTrue(opened <= ours[first][0] <= opened + 1310, (opened, ours[first]))
        self.assertNotEqual(ours[-1], theirs[-1])

    def test_another_motor_has_another_trace(self):  # the comparison can fail
        other = self.run_here("other", 8)
        for name, digest in other.hashes().items():
            self.assertNotEqual(digest, self.here.hashes()[name], name)
        self.assertEqual(len(other.of("repaired", other.stand)), 3)

    def test_an_order_that_is_cut_short_is_refused(self):
        order = self.order(7, frames=100)
        whole = order.read_bytes()
        order.write_bytes(whole[:-1])
        with self.assertRaisesRegex(AssertionError, "order cannot be read"):
            self.run_here("short", 7, order=order)


if __name__ == "__main__":
    unittest.main()
