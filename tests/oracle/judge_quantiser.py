"""judge_quantiser.py QUANTISE_RUN TINYML_RUN WORK DATA: our quantiser beside TensorFlow's converter.

Keras trains the reference network (4-60-30-10-1) and an autoencoder (8-5-8) on the recordings of
SKAB; both tools make int8 of the same weights with the same 500 calibration rows.

The rule, which is fixed before anything is run:
- Every labelled recording is judged: five folds of four recordings, each fold held out once from
  training and calibration, five seeds each, so 25 networks of a kind and every row five times.
- A recording is what varies by chance (its rows are no independent draws). The figure of a
  recording is the mean over the seeds of the difference ours - TensorFlow's: of the rows judged
  right by the reference network (a probability over 0.5 is an alarm, one of exactly 0.5 is none),
  of the relative reconstruction error of the healthy rows by the autoencoder.
- The answer is the mean over all rows with its 95 % interval, by 10,000 draws of whole recordings.
  "Better" or "worse" where the interval lies on one side of 0; "the same or better" where it
  reaches no further than 0.1 points (0.1 % of the error) to the bad side; else "not decided".
- Both files run in LiteRT, and row by row in tinyml with the same bytes. LiteRT's QUANTIZE multiplies
  by a reciprocal where tinyml divides, so a real value next to a half step may go the other way: more
  than one row of 10,000 fails the run.

WORK/rows.jsonl has a line for each network and goes on where it ended.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np

FOUR = [0, 2, 3, 7]  # accelerometer 1, current, pressure, flow
FOLDS = 5
SEEDS = 5
CALIBRATION_ROWS = 500
DRAWS = 10_000
MARGIN = 0.001
UNEQUAL_MAX = 1e-4


def recordings(folder):
    """Name and table (8 channels and the label) of each recording that has labels."""
    parts = []
    for path in sorted(folder.glob("*/*.csv")):
        with path.open() as file:
            columns = file.readline().strip().split(";")
        if "anomaly" in columns:
            table = np.genfromtxt(path, delimiter=";", skip_header=1, usecols=range(1, 10))
            parts.append((f"{path.parent.name}/{path.stem}", table))
    return parts


def text_of(model, mean, deviation, physical):
    words = [f"inputs {len(mean)}"]
    if physical:
        words += ["normalise", *map(repr, map(float, mean)), *map(repr, map(float, 1 / deviation))]
    for layer in model.layers:
        if layer.__class__.__name__ != "Dense":
            continue
        weights, bias = layer.get_weights()
        activation = layer.activation.__name__
        fused = "relu" if activation == "relu" else "none"
        words.append(f"dense {weights.shape[0]} {weights.shape[1]} {fused}")
        words += map(repr, map(float, [*weights.T.ravel(), *bias]))
        if activation in ("tanh", "sigmoid"):
            words.append("tanh" if activation == "tanh" else "logistic")
    return "\n".join(words) + "\n"


def by_tensorflow(model, calibration, per_channel):
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if not per_channel:
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter.convert()


def by_litert(file, rows):
    import tensorflow as tf

    engine = tf.lite.Interpreter(model_path=str(file), num_threads=1)
    entry, exit_ = engine.get_input_details()[0]["index"], engine.get_output_details()[0]["index"]
    engine.resize_tensor_input(entry, rows.shape)
    engine.allocate_tensors()
    engine.set_tensor(entry, rows)
    engine.invoke()
    return engine.get_tensor(exit_).copy()


def by_tinyml(program, file, rows, work):
    (work / "rows").write_bytes(rows.tobytes())
    subprocess.run([program, file, "single", work / "rows", work / "out"], check=True)
    return np.frombuffer((work / "out").read_bytes(), np.float32).reshape(len(rows), -1)


def train(kind, table, seed):
    """The network, and what makes its rows of a recording's."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    if kind == "autoencoder":
        table = table[table[:, 8] == 0]
        rows = table[:, :8]
    else:
        rows = table[:, FOUR]
    mean, deviation = rows.mean(0), rows.std(0)
    standard = (rows - mean) / deviation
    value = entry = keras.Input((rows.shape[1],))
    if kind == "autoencoder":
        value = layers.Dense(8, "tanh")(layers.Dense(5, "tanh")(entry))
        model = keras.Model(entry, layers.Dense(8)(value))
        model.compile("adam", "mse")
        model.fit(standard, standard, epochs=15, batch_size=128, verbose=0)
        return model, mean, deviation
    if kind == "physical":
        value, standard = layers.Normalization(mean=mean, variance=deviation**2)(entry), rows
    for units in (60, 30, 10):
        value = layers.Dense(units, "relu")(value)
    model = keras.Model(entry, layers.Dense(1, "sigmoid")(value))
    model.compile("adam", "binary_crossentropy")
    model.fit(standard, table[:, 8], epochs=8, batch_size=128, verbose=0)
    return model, mean, deviation


def rows_of(kind, table, mean, deviation):
    if kind == "physical":
        return table[:, FOUR].astype(np.float32)
    if kind == "reference":
        return ((table[:, FOUR] - mean) / deviation).astype(np.float32)
    healthy = table[table[:, 8] == 0][:, :8]
    return ((healthy - mean) / deviation).clip(-16, 16).astype(np.float32)


def score(kind, out, real, rows, labels):
    """Sums over a recording's rows."""
    made = {"rows": len(rows), "away": float(np.abs(out - real).mean(1).sum())}
    if kind == "autoencoder":
        made["error"] = float(np.square(out - rows).mean(1).sum())
        return made
    alarm = labels > 0.5
    made["right"] = int(((out[:, 0] > 0.5) == alarm).sum())
    made["right_with_ties"] = int(((out[:, 0] >= 0.5) == alarm).sum())
    made["ties"] = int((out[:, 0] == 0.5).sum())
    made["flips"] = int(((out[:, 0] > 0.5) != (real[:, 0] > 0.5)).sum())
    return made


def judge(arguments, parts, kind, scales, fold, seed):
    work = arguments.work
    held = parts[fold::FOLDS]
    learn = np.vstack([table for i, (_, table) in enumerate(parts) if i % FOLDS != fold])
    model, mean, deviation = train(kind, learn, seed)
    known = rows_of(kind, learn, mean, deviation)
    chosen = np.random.default_rng(seed).choice(len(known), CALIBRATION_ROWS, False)
    calibration = known[chosen]
    (work / "network").write_text(text_of(model, mean, deviation, kind == "physical"))
    np.savetxt(work / "calibration", calibration, "%.9g")
    ours, theirs = work / "ours.tflite", work / "theirs.tflite"
    paths = [work / "network", work / "calibration", scales, "rule", work / "float.tflite", ours]
    subprocess.run([arguments.quantise_run, *paths], check=True)
    theirs.write_bytes(by_tensorflow(model, calibration, scales == "channel"))
    rows = [rows_of(kind, table, mean, deviation) for _, table in held]
    every = np.vstack(rows)
    outs = {"float": model.predict(every, batch_size=4096, verbose=0)}
    unequal = 0
    for name, file in (("ours", ours), ("theirs", theirs)):
        outs[name] = by_litert(file, every)
        unequal += int((by_tinyml(arguments.tinyml_run, file, every, work) != outs[name]).any(1).sum())
    line = {"kind": kind, "scales": scales, "fold": fold, "seed": seed, "unequal": unequal, "of": {}}
    at = 0
    for (name, table), some in zip(held, rows):
        part = slice(at, at + len(some))
        at += len(some)
        line["of"][name] = {
            who: score(kind, out[part], outs["float"][part], some, table[:, 8])
            for who, out in outs.items()
        }
    return line


def interval(lines, figure):
    """The mean of figure(line's recording) over all rows, and 95 % by draws of whole recordings."""
    by_name = {}
    for line in lines:
        for name, of in line["of"].items():
            by_name.setdefault(name, []).append((figure(of), of["float"]["rows"]))
    values = np.array([np.mean([value for value, _ in some]) for some in by_name.values()])
    rows = np.array([some[0][1] for some in by_name.values()], float)
    drawn = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    means = (values[drawn] * rows[drawn]).sum(1) / rows[drawn].sum(1)
    return (values * rows).sum() / rows.sum(), *np.quantile(means, [0.025, 0.975])


def verdict(low, high):
    if low > 0:
        return "better"
    if high < 0:
        return "WORSE"
    return "the same or better" if low > -MARGIN else "not decided"


def total(lines, who, key):
    whole = [of[who] for line in lines for of in line["of"].values()]
    return sum(one[key] for one in whole) / sum(one["rows"] for one in whole)


def report(lines, title):
    kind = lines[0]["kind"]
    names = {name for line in lines for name in line["of"]}
    rows = sum(of["float"]["rows"] for line in lines for of in line["of"].values())
    print(f"{title}: {len(lines)} networks, {len(names)} recordings, {rows} rows")
    if kind == "autoencoder":
        for who in ("float", "ours", "theirs"):
            print(f"  {who}: error {total(lines, who, 'error'):.5f}, away {total(lines, who, 'away'):.5f}")

        def gain(of):
            return (of["theirs"]["error"] - of["ours"]["error"]) / of["theirs"]["error"]
    else:
        for who in ("float", "ours", "theirs"):
            keys = ("right", "right_with_ties", "ties", "flips", "away")
            print(f"  {who}: " + ", ".join(f"{key} {total(lines, who, key):.4f}" for key in keys))

        def gain(of):
            return (of["ours"]["right"] - of["theirs"]["right"]) / of["float"]["rows"]
    mean, low, high = interval(lines, gain)
    print(f"  ours - TensorFlow's: {mean:+.4%} ({low:+.4%} to {high:+.4%}): {verdict(low, high)}")
    if kind != "autoencoder":
        ties = interval(
            lines,
            lambda of: (of["ours"]["right_with_ties"] - of["theirs"]["right_with_ties"]) / of["float"]["rows"],
        )
        print("  the same where exactly 0.5 is an alarm: {:+.4%} ({:+.4%} to {:+.4%})".format(*ties))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("quantise_run")
    parser.add_argument("tinyml_run")
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--kinds", nargs="+", default=["reference", "autoencoder", "physical"])
    parser.add_argument("--scales", nargs="+", default=["channel", "tensor"])
    parser.add_argument("--report-only", action="store_true")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    kept = arguments.work / "rows.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    done = {(line["kind"], line["scales"], line["fold"], line["seed"]) for line in lines}
    if not arguments.report_only:
        parts = recordings(arguments.data / "skab")
        for scales in arguments.scales:
            for seed in range(SEEDS):
                for kind in arguments.kinds:
                    for fold in range(FOLDS):
                        if (kind, scales, fold, seed) in done:
                            continue
                        lines.append(judge(arguments, parts, kind, scales, fold, seed))
                        with kept.open("a") as file:
                            file.write(json.dumps(lines[-1]) + "\n")
    for scales in arguments.scales:
        for kind in arguments.kinds:
            some = [line for line in lines if (line["kind"], line["scales"]) == (kind, scales)]
            for seed in range(SEEDS) if some else ():
                of_seed = [line for line in some if line["seed"] == seed]
                if len(of_seed) == FOLDS:
                    report(of_seed, f"{kind}, per {scales}, seed {seed}")
            if some:
                report(some, f"{kind}, per {scales}, all")
    unequal = sum(line["unequal"] for line in lines)
    judged = 2 * sum(of["float"]["rows"] for line in lines for of in line["of"].values())
    print(f"judge_quantiser: {unequal} of {judged} rows differ between LiteRT and tinyml (single)")
    sys.exit(1 if unequal > UNEQUAL_MAX * judged else 0)


if __name__ == "__main__":
    main()
