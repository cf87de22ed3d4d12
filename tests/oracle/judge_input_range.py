"""judge_input_range.py QUANTISE_RUN TINYML_RUN WORK DATA: what int8 costs a classifier on SKAB's recordings.

The reference network (4-60-30-10-1, standardised rows in) is trained here, in numpy, and judged on five recordings
that neither training nor calibration saw. No TensorFlow: a minute, where that takes many.
"""
import pathlib
import subprocess
import sys

import numpy as np

HELD_OUT = ("valve1/12", "valve1/14", "valve2/3", "other/9", "other/13")
FOUR = [0, 2, 3, 7]  # accelerometer 1, current, pressure, flow
SIZES = [4, 60, 30, 10, 1]
EPOCHS, BATCH, RATE = 8, 128, 1e-3


def recordings(folder):
    parts = {"learn": [], "judge": []}
    for path in sorted(folder.glob("*/*.csv")):
        name = f"{path.parent.name}/{path.stem}"
        with path.open() as file:
            if "anomaly" not in file.readline().strip().split(";"):
                continue
        table = np.loadtxt(path, delimiter=";", skiprows=1, usecols=range(1, 10))
        parts["judge" if name in HELD_OUT else "learn"].append(table)
    return np.vstack(parts["learn"]), np.vstack(parts["judge"])


def trace(weights, biases, rows):
    """The input, then what each layer gives; the last is the logit."""
    values = [rows]
    for i, (weight, bias) in enumerate(zip(weights, biases)):
        value = values[-1] @ weight + bias
        values.append(np.maximum(value, 0) if i < len(weights) - 1 else value)
    return values


def train(rows, labels, seed):
    chance = np.random.default_rng(seed)
    weights, biases = [], []
    for inputs, outputs in zip(SIZES, SIZES[1:]):
        limit = np.sqrt(6 / (inputs + outputs))
        weights.append(chance.uniform(-limit, limit, (inputs, outputs)).astype(np.float32))
        biases.append(np.zeros(outputs, np.float32))
    numbers = weights + biases
    first, second = ([np.zeros_like(n) for n in numbers] for _ in range(2))
    step = 0
    for _ in range(EPOCHS):
        order = chance.permutation(len(rows))
        for at in range(0, len(order), BATCH):
            chosen = order[at:at + BATCH]
            values = trace(weights, biases, rows[chosen])
            slope = (1 / (1 + np.exp(-values[-1])) - labels[chosen, None]) / len(chosen)
            slopes = [None] * len(numbers)
            for i in reversed(range(len(weights))):
                slopes[i], slopes[len(weights) + i] = values[i].T @ slope, slope.sum(0)
                if i:
                    slope = (slope @ weights[i].T) * (values[i] > 0)
            step += 1
            for i, number in enumerate(numbers):  # Adam
                first[i] = 0.9 * first[i] + 0.1 * slopes[i]
                second[i] = 0.999 * second[i] + 0.001 * slopes[i] ** 2
                number -= RATE * (first[i] / (1 - 0.9**step)) / (np.sqrt(second[i] / (1 - 0.999**step)) + 1e-7)
    return weights, biases


def text_of(weights, biases):
    words = [f"inputs {SIZES[0]}"]
    for i, (weight, bias) in enumerate(zip(weights, biases)):
        words.append(f"dense {weight.shape[0]} {weight.shape[1]} {'relu' if i < len(weights) - 1 else 'none'}")
        words += map(repr, map(float, [*weight.T.ravel(), *bias]))
    return "\n".join([*words, "logistic"]) + "\n"


def main():
    quantise_run, tinyml_run, work, data = sys.argv[1:]
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    learn, judge = recordings(pathlib.Path(data) / "skab")
    mean, deviation = learn[:, FOUR].mean(0), learn[:, FOUR].std(0)
    rows, held = (((part[:, FOUR] - mean) / deviation).astype(np.float32) for part in (learn, judge))
    (work / "rows").write_bytes(held.tobytes())
    for seed in range(5):
        weights, biases = train(rows, learn[:, 8].astype(np.float32), seed)
        (work / "network").write_text(text_of(weights, biases))
        np.savetxt(work / "calibration", rows[np.random.default_rng(seed).choice(len(rows), 500, False)], "%.9g")
        real = 1 / (1 + np.exp(-trace(weights, biases, held)[-1][:, 0]))
        right = judge[:, 8] > 0.5
        print(f"seed {seed}: float accuracy {((real > 0.5) == right).mean():.4f}")
        for scales in ("channel", "tensor"):
            made = [work / "float.tflite", work / "int8.tflite"]
            subprocess.run([quantise_run, work / "network", work / "calibration", scales, "rule", *made], check=True)
            subprocess.run([tinyml_run, made[1], "single", work / "rows", work / "out"], check=True)
            given = np.frombuffer((work / "out").read_bytes(), np.float32)
            print(f"  per {scales}: accuracy {((given > 0.5) == right).mean():.4f}, loss {np.abs(given - real).mean():.4f}, "
                  f"flips {((given > 0.5) != (real > 0.5)).mean():.4f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
