"""Runs every model of WORK/models in tinyml, TFLM and LiteRT and prints where they differ."""

import os
import pathlib
import subprocess
import sys

import numpy as np
from ai_edge_litert import interpreter as litert
from tflite_micro.python.tflite_micro import runtime

ROWS = 4000
FLOAT_LARGEST = 1e-5  # of relative difference
# Where XNNPACK's own arithmetic is another one, by a step: in what part of the values at most
# (docs/tinyml.md).
STEP_AWAY = {"leaky": 0.08, "mean_images": 0.005, "requantise": 0.006, "conv_": 1e-4, "sub_": 1e-4}

# TFLM's RELU6 of int8 clamps in the input's scale and never rescales to the output's: its bytes are
# not the numbers that the file describes, and nothing is promised (docs/tinyml.md).
TFLM_WRONG = ("relu6_alone",)


def of_tinyml(run, model, rounding, rows, out_type, out_shape, work):
    (work / "rows").write_bytes(rows.tobytes())
    subprocess.run([run, model, rounding, work / "rows", work / "out"], check=True)
    out = np.frombuffer((work / "out").read_bytes(), dtype=out_type)
    return out.reshape((len(rows),) + out_shape)


def of_tflm(model, rows):
    engine = runtime.Interpreter.from_bytes(model.read_bytes())
    outs = []
    for row in rows:
        engine.set_input(row, 0)
        engine.invoke()
        outs.append(engine.get_output(0).copy())
    return np.stack(outs)


def of_litert(model, rows, resolver):
    engine = litert.Interpreter(
        model_path=str(model), num_threads=1, experimental_op_resolver_type=resolver
    )
    engine.allocate_tensors()
    entry = engine.get_input_details()[0]["index"]
    exit_ = engine.get_output_details()[0]["index"]
    outs = []
    for row in rows:
        engine.set_tensor(entry, row)
        engine.invoke()
        outs.append(engine.get_tensor(exit_).copy())
    return np.stack(outs)


def difference(ours, theirs):
    if theirs is None:
        return None
    if ours.dtype == np.int8:
        gap = np.abs(ours.astype(int) - theirs.astype(int))
        return int((gap > 0).sum()), int(gap.max())
    scale = np.maximum(np.abs(theirs), 0.1)
    gap = np.abs(ours.astype(np.float64) - theirs) / scale
    return int((gap > 0).sum()), float(gap.max())


def rows_for(detail):
    shape = tuple(detail["shape"])
    chance = np.random.default_rng(5)
    if detail["dtype"] == np.int8:
        return chance.integers(-128, 128, (ROWS,) + shape).astype(np.int8)
    rows = chance.normal(0, 3, (ROWS,) + shape).astype(np.float32)
    # physical units for the profile that takes them
    if shape == (1, 4) and "reference" in detail["model"]:
        rows = rows * [0.1, 2.5, 0.02, 0.17] + [0.6, 41, 0.12, 0.8]
    return rows.astype(np.float32)


def attempt(what):
    try:
        return what()
    except Exception as error:  # an engine that lacks an op says so in its own way
        print(f"    not run: {str(error).splitlines()[0][:100]}")
        return None


def compare(run, model, work):
    engine = litert.Interpreter(model_path=str(model))
    engine.allocate_tensors()
    detail = dict(engine.get_input_details()[0], model=model.stem)
    last = engine.get_output_details()[0]
    rows = rows_for(detail)
    shape = tuple(last["shape"])
    args = (rows, last["dtype"], shape, work)
    double = of_tinyml(run, model, "double", *args)
    single = of_tinyml(run, model, "single", *args)
    resolvers = litert.OpResolverType
    return {
        "values": double.size,
        "TFLM": difference(double, attempt(lambda: of_tflm(model, rows))),
        "LiteRT-ref": difference(
            single, attempt(lambda: of_litert(model, rows, resolvers.BUILTIN_REF))
        ),
        "XNNPACK": difference(single, attempt(lambda: of_litert(model, rows, resolvers.AUTO))),
    }


def promised(name, result):
    """TFLM equal under double, LiteRT as shipped equal under single, float within its bound."""
    real = name.endswith("_float")
    tflm, xnnpack = result["TFLM"], result["XNNPACK"]
    if tflm is None or xnnpack is None:
        return False
    largest = 1e-4 if real else 0
    share = 1.0 if real else 0.0
    for start, part in () if real else STEP_AWAY.items():
        if name.removeprefix("tf_").startswith(start):
            largest, share = 1, part
    if not real and name.removeprefix("tf_").startswith(TFLM_WRONG):
        tflm = (0, 0)
    return tflm[1] <= (FLOAT_LARGEST if real else 0) and xnnpack[1] <= largest and xnnpack[0] <= share * result["values"]


def refusal(run, model):
    """What tinyml says of a file that it does not take."""
    said = subprocess.run(
        [run, model, "double", os.devnull, os.devnull], capture_output=True, text=True
    )
    return said.stderr.strip().split(": ", 1)[-1] if said.returncode == 1 else ""


def main():
    run, work = sys.argv[1], pathlib.Path(sys.argv[2])
    names = sorted((work / "models").glob(sys.argv[3] if len(sys.argv) > 3 else "*.tflite"))
    failed = 0
    print(f"{'model':34} {'TFLM':>16} {'LiteRT-ref':>16} {'XNNPACK':>16}   (differ, largest)")
    for model in names:
        refused = refusal(run, model)
        if refused:
            print(f"{model.stem:34} refused: {refused}")
        if bool(refused) != model.stem.startswith("tf_refused"):
            failed += 1
            print(f"FAILED {model.stem}: it should {'' if refused else 'not '}load", flush=True)
        if refused:
            continue
        result = compare(run, model, work)
        cells = [
            "-" if cell is None else f"{cell[0]}, {cell[1]:.3g}" for name, cell in result.items() if name != "values"
        ]
        if not promised(model.stem, result):
            failed += 1
            print(f"FAILED {model.stem}")
        print(f"{model.stem:34} {cells[0]:>16} {cells[1]:>16} {cells[2]:>16}", flush=True)
    print(f"oracle: {len(names)} models x {ROWS} rows, {failed} break a promise")
    sys.exit(1 if failed or not names else 0)


if __name__ == "__main__":
    main()
