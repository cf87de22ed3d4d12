"""The second engine: TensorFlow Lite's C API by dlopen, with a delegate of our own, by hand."""
import math
import pathlib
import random
import re
import subprocess
import tempfile
import unittest

from stator_site import ROOT, STATOR

LIBRARY = ROOT / "build/tensorflow-lite/libjnitensorflowlite.so"  # of ./setup --test
PROGRAMS = STATOR.parent / "tests/oracle"
DELEGATE = PROGRAMS / "test_delegate.so"
ENGINE = f"tflite:{LIBRARY}"


def tinyml(*arguments):
    return subprocess.run([STATOR, "tinyml", *map(str, arguments)], capture_output=True, text=True, timeout=120)


def rows_of(text):
    return [[float(value) for value in line.split(",")] for line in text.split()]


class Zoo(unittest.TestCase):
    """Our writer's models, as files."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="stator-zoo-")
        cls.addClassCleanup(folder.cleanup)
        cls.models = pathlib.Path(folder.name)
        subprocess.run([PROGRAMS / "make_models", cls.models], check=True, capture_output=True)
        cls.ends = {}
        for model in sorted(cls.models.glob("*.tflite")):
            told = tinyml("info", model).stdout
            found = re.findall(r"^(?:input|output) +(\d+) x (\w+)$", told, re.MULTILINE)
            cls.ends[model] = (int(found[0][0]), found[0][1], int(found[1][0]), found[1][1])

    @classmethod
    def chosen(cls, inside, count):
        """Models whose file says int8 or float, by our writer's own names, always the same."""
        models = [model for model, ends in cls.ends.items() if ends[1] == ends[3] == inside]
        random.Random(5).shuffle(models)
        if len(models) < count:
            raise AssertionError(f"fewer than {count} models of {inside}")
        return models[:count]

    def write(self, name, rows):
        path = self.models / name
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
        return path

    def run_rows(self, model, csv, *more):
        told = tinyml("run", model, "--input", csv, *more)
        self.assertEqual(told.returncode, 0, told.stderr)
        return rows_of(told.stdout)


@unittest.skipUnless(LIBRARY.exists(), f"{LIBRARY} is not here: ./setup --test fetches it")
class ByHand(Zoo):
    def test_it_gives_what_tinyml_gives(self):
        chance = random.Random(3)
        for model in self.chosen("int8", 12):
            inputs = self.ends[model][0]
            csv = self.write("in.csv", [[chance.randint(-128, 127) for _ in range(inputs)] for _ in range(40)])
            ours = self.run_rows(model, csv, "--raw", "--rounding", "single")
            theirs = self.run_rows(model, csv, "--raw", "--engine", ENGINE)
            with self.subTest(model.name):
                far = sum(abs(a - b) > 1 for x, y in zip(ours, theirs) for a, b in zip(x, y))
                self.assertEqual((len(ours), len(theirs)), (40, 40))
                # Its kernels are of another year and round in their own way here and there.
                self.assertLessEqual(far, len(ours) * len(ours[0]) * 0.02)
        for model in self.chosen("float32", 6):
            inputs = self.ends[model][0]
            csv = self.write("in.csv", [[chance.uniform(-3, 3) for _ in range(inputs)] for _ in range(40)])
            with self.subTest(model.name):
                ours, theirs = self.run_rows(model, csv), self.run_rows(model, csv, "--engine", ENGINE)
                self.assertEqual((len(ours), len(theirs)), (40, 40))
                for x, y in zip(ours, theirs):
                    for a, b in zip(x, y, strict=True):
                        self.assertTrue(math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-3), (a, b))

    def test_bench_takes_it(self):
        for raw in ([], ["--raw"]):
            told = tinyml("bench", self.chosen("int8", 1)[0], "--engine", ENGINE, *raw)
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertGreater(float(re.match(r"(\S+) us a run", told.stdout)[1]), 0)

    def with_logistic(self):
        for model in self.ends:
            if re.search(r"\bLOGISTIC\b", tinyml("info", model).stdout) and self.ends[model][2] == 1:
                yield model

    def test_a_delegate_does_the_nodes_that_it_takes(self):
        model = next(self.with_logistic())
        chance = random.Random(4)
        csv = self.write("in.csv", [[chance.uniform(-2, 2) for _ in range(self.ends[model][0])] for _ in range(20)])
        alone = self.run_rows(model, csv, "--engine", ENGINE)
        beside = self.run_rows(model, csv, "--engine", ENGINE, "--delegate", DELEGATE)
        self.assertEqual((len(alone), len(beside)), (20, 20))
        for a, b in zip(alone, beside):
            self.assertAlmostEqual(a[0], b[0], delta=0.005)
        told = self.run_rows(model, csv, "--engine", ENGINE, "--delegate", DELEGATE, "--delegate-options", "answer=0.75")
        self.assertEqual(told, [[0.75]] * 20, "its own words come out: it ran")

    def test_what_is_wrong_is_named(self):
        model = next(self.with_logistic())
        csv = self.write("in.csv", [[0.5] * self.ends[model][0]] * 5)
        broken = self.models / "broken.bin"
        broken.write_bytes(model.read_bytes()[:200])
        delegate = ("--delegate", DELEGATE)
        for arguments, words in (
            (("--engine", "tflite:/nowhere/lib.so"), "/nowhere/lib.so cannot be opened"),
            (("--engine", f"tflite:{DELEGATE}"), "has no function TfLiteVersion"),
            (("--engine", "onnx"), "tinyml or tflite:PATH"),
            (delegate, "not with tinyml"),
            (("--engine", ENGINE, "--delegate", "/nowhere/d.so"), "the delegate's library /nowhere/d.so cannot"),
            (("--engine", ENGINE, "--delegate", LIBRARY), "no function tflite_plugin_create_delegate"),
            (("--engine", ENGINE, *delegate, "--delegate-options", "refuse=create"), "no accelerator is plugged in"),
            (("--engine", ENGINE, *delegate, "--delegate-options", "refuse=prepare"), "takes no model, as it was told"),
            (("--engine", ENGINE, *delegate, "--delegate-options", "fail=3"), "fails as it was told"),
        ):
            with self.subTest(words):
                told = tinyml("run", model, "--input", csv, *arguments)
                self.assertEqual(told.returncode, 1, told.stdout)
                self.assertIn(words, told.stderr)
        told = tinyml("run", broken, "--input", csv, "--engine", ENGINE)
        self.assertEqual(told.returncode, 1)
        self.assertIn(str(broken), told.stderr)


if __name__ == "__main__":
    unittest.main()
