"""`stator tinyml` on models of our writer: the bits that the oracle's program gives, and clear refusals."""
import array
import os
import pathlib
import random
import re
import subprocess
import tempfile
import unittest

from stator_site import STATOR

PROGRAMS = STATOR.parent / "tests/oracle"
ROWS = 50


def tinyml(*arguments):
    return subprocess.run(
        [STATOR, "tinyml", *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


class Tinyml(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="stator-tinyml-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.models = pathlib.Path(cls.folder.name)
        subprocess.run([PROGRAMS / "make_models", cls.models], check=True, capture_output=True)
        cls.files = sorted(cls.models.glob("*.tflite"))

    def ends(self, model):
        """(input count, its type, output count, its type) as info says."""
        told = tinyml("info", model)
        self.assertEqual(told.returncode, 0, told.stderr)
        found = [re.search(rf"^{end} +(\d+) x (\w+)$", told.stdout, re.MULTILINE) for end in ("input", "output")]
        return (int(found[0][1]), found[0][2], int(found[1][1]), found[1][2])

    def chosen(self, type_, count):
        """Some models with both ends of this type, always the same ones."""
        files = self.files[:]
        random.Random(5).shuffle(files)
        made = []
        for file in files:
            inputs, input_type, outputs, output_type = self.ends(file)
            if (input_type, output_type) == (type_, type_):
                made.append((file, inputs, outputs))
            if len(made) == count:
                return made
        self.fail(f"fewer than {count} models of {type_}")

    def oracle(self, model, rounding, data):
        """What tests/oracle's own program gives, which TFLM and LiteRT are held against."""
        source, result = self.models / "in.bin", self.models / "out.bin"
        source.write_bytes(data)
        subprocess.run([PROGRAMS / "tinyml_run", model, rounding, source, result], check=True)
        return result.read_bytes()

    def test_raw_rows_give_the_oracles_steps_under_both_roundings(self):
        chance = random.Random(3)
        for model, inputs, outputs in self.chosen("int8", 6):
            rows = [[chance.randint(-128, 127) for _ in range(inputs)] for _ in range(ROWS)]
            csv = self.models / "in.csv"
            csv.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
            for rounding in ("double", "single"):
                with self.subTest(model=model.name, rounding=rounding):
                    told = tinyml("run", model, "--input", csv, "--raw", "--rounding", rounding)
                    self.assertEqual(told.returncode, 0, told.stderr)
                    ours = array.array("b", [int(n) for n in re.split(r"[,\n]", told.stdout.strip())])
                    self.assertEqual(len(ours), ROWS * outputs)
                    data = array.array("b", [n for row in rows for n in row]).tobytes()
                    self.assertEqual(ours.tobytes(), self.oracle(model, rounding, data))

    def test_real_rows_give_the_oracles_floats(self):
        chance = random.Random(4)
        for model, inputs, outputs in self.chosen("float32", 3):
            values = array.array("f", [chance.uniform(-3, 3) for _ in range(inputs * ROWS)])
            csv = self.models / "in.csv"
            csv.write_text("".join(
                ",".join(repr(v) for v in values[at : at + inputs]) + "\n"
                for at in range(0, len(values), inputs)
            ))  # fmt: skip
            with self.subTest(model=model.name):
                told = tinyml("run", model, "--input", csv)
                self.assertEqual(told.returncode, 0, told.stderr)
                ours = array.array("f", [float(n) for n in re.split(r"[,\n]", told.stdout.strip())])
                self.assertEqual(len(ours), ROWS * outputs)
                self.assertEqual(ours.tobytes(), self.oracle(model, "double", values.tobytes()))

    def test_check_tells_what_it_needs_and_where_it_fits(self):
        model, *_ = self.chosen("int8", 1)[0]
        told = tinyml("check", model)
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertRegex(told.stdout, r"(?m)^operators \d+ [A-Z_0-9]+ v\d+")
        self.assertRegex(told.stdout, r"(?m)^arena +\d+ B$")
        self.assertRegex(told.stdout, rf"(?m)^flash +{os.path.getsize(model)} B$")
        for target in ("device cortex_m", "device esp32", "device host", "level 2"):
            self.assertRegex(told.stdout, rf"(?m)^{target}.* fits: arena \d+ of \d+ B, flash")

    def test_bench_measures(self):
        told = tinyml("bench", self.chosen("int8", 1)[0][0])
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertGreater(float(re.match(r"(\S+) us a run", told.stdout)[1]), 0)

    def test_what_is_wrong_is_named(self):
        model, inputs, _ = self.chosen("int8", 1)[0]
        real, *_ = self.chosen("float32", 1)[0]
        csv = self.models / "bad.csv"
        csv.write_text(",".join(["0"] * inputs) + "\n" + ",".join(["1"] * (inputs + 1)) + "\n")
        broken = self.models / "broken.bin"
        broken.write_bytes(model.read_bytes()[:-40])
        for arguments, words in (
            (("run", model, "--raw", "--input", csv), f"{csv}:2: {inputs + 1} numbers"),
            (("run", real, "--raw", "--input", csv), "without --raw"),
            (("run", model, "--input", self.models / "none.csv"), "none.csv"),
            (("check", broken), str(broken)),
            (("info", self.models / "none.tflite"), "none.tflite"),
        ):
            with self.subTest(arguments[0]):
                told = tinyml(*arguments)
                self.assertEqual(told.returncode, 1, told.stdout)
                self.assertIn(words, told.stderr)
                self.assertEqual(told.stdout, "")


if __name__ == "__main__":
    unittest.main()
