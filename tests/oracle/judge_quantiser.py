"""judge_quantiser.py QUANTISE_RUN TINYML_RUN WORK DATA: our quantiser beside TensorFlow's converter.

Keras trains the reference network (4-60-30-10-1; physical units in, and standardised rows in, as the
converter does better with) and an autoencoder (8-5-8) on the
recordings of SKAB; both tools make int8 of the same weights with the same calibration rows, and
both are judged on whole recordings that neither training nor calibration saw.
"""

import os
import pathlib
import subprocess
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

HELD_OUT = ("valve1/12", "valve1/14", "valve2/3", "other/9", "other/13")
FOUR = [0, 2, 3, 7]  # accelerometer 1, current, pressure, flow
SEEDS = range(5)


def recordings(folder):
    """Rows of 8 channels and labels, learnt and held out, recording by recording."""
    parts = {"learn": [], "judge": []}
    for path in sorted(folder.glob("*/*.csv")):
        name = f"{path.parent.name}/{path.stem}"
        with path.open() as file:
            columns = file.readline().strip().split(";")
        if "anomaly" not in columns:
            continue
        table = np.genfromtxt(path, delimiter=";", skip_header=1, usecols=range(1, 10))
        parts["judge" if name in HELD_OUT else "learn"].append(table)
    return {part: np.vstack(tables) for part, tables in parts.items()}


def text_of(model, mean, deviation, physical):
    words = [f"inputs {len(mean)}"]
    if physical:
        words += ["normalise", *map(repr, map(float, mean)), *map(repr, map(float, 1 / deviation))]
    for layer in model.layers:
        if not isinstance(layer, layers.Dense):
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
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if not per_channel:
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter.convert()


def run(file, rows):
    engine = tf.lite.Interpreter(model_path=str(file), num_threads=1)
    entry, exit_ = engine.get_input_details()[0]["index"], engine.get_output_details()[0]["index"]
    engine.resize_tensor_input(entry, (1, rows.shape[1]))
    engine.allocate_tensors()
    outs = []
    for row in rows:
        engine.set_tensor(entry, row[None])
        engine.invoke()
        outs.append(engine.get_tensor(exit_)[0].copy())
    return np.stack(outs)


def by_tinyml(program, file, rows, rounding, work):
    (work / "rows").write_bytes(rows.tobytes())
    subprocess.run([program, file, rounding, work / "rows", work / "out"], check=True)
    return np.frombuffer((work / "out").read_bytes(), np.float32).reshape(len(rows), -1)


def standardised(data, seed):
    return reference(data, seed, inside=False)


def reference(data, seed, inside=True):
    rows, labels = data[:, FOUR], data[:, 8]
    mean, deviation = rows.mean(0), rows.std(0)
    keras.utils.set_random_seed(seed)
    entry = keras.Input((4,))
    value = layers.Normalization(mean=mean, variance=deviation**2)(entry) if inside else entry
    rows = rows if inside else (rows - mean) / deviation
    for units in (60, 30, 10):
        value = layers.Dense(units, "relu")(value)
    model = keras.Model(entry, layers.Dense(1, "sigmoid")(value))
    model.compile("adam", "binary_crossentropy")
    model.fit(rows, labels, epochs=8, batch_size=128, verbose=0)
    return model, mean, deviation


def autoencoder(data, seed):
    rows = data[data[:, 8] == 0][:, :8]
    mean, deviation = rows.mean(0), rows.std(0)
    keras.utils.set_random_seed(seed)
    entry = keras.Input((8,))
    value = layers.Dense(8, "tanh")(layers.Dense(5, "tanh")(entry))
    model = keras.Model(entry, layers.Dense(8)(value))
    model.compile("adam", "mse")
    rows = (rows - mean) / deviation
    model.fit(rows, rows, epochs=15, batch_size=128, verbose=0)
    return model, mean, deviation


def main():
    quantise_run, tinyml_run, work, data = sys.argv[1:]
    work = pathlib.Path(work)
    work.mkdir(parents=True, exist_ok=True)
    parts = recordings(pathlib.Path(data) / "skab")
    worse = unequal = 0
    for seed in SEEDS:
        for kind, train in (("reference", reference), ("standardised", standardised), ("autoencoder", autoencoder)):
            model, mean, deviation = train(parts["learn"], seed)
            physical = kind == "reference"

            def rows_of(table):
                if physical:
                    return table[:, FOUR].astype(np.float32)
                if kind == "standardised":
                    return ((table[:, FOUR] - mean) / deviation).astype(np.float32)
                healthy = table[table[:, 8] == 0][:, :8]
                return ((healthy - mean) / deviation).clip(-16, 16).astype(np.float32)

            learn, judge = rows_of(parts["learn"]), rows_of(parts["judge"])
            calibration = learn[np.random.default_rng(seed).choice(len(learn), 500, False)]
            real = model.predict(judge, verbose=0)
            (work / "network").write_text(text_of(model, mean, deviation, physical))
            np.savetxt(work / "calibration", calibration, "%.9g")

            def score(out):
                loss = float(np.abs(out - real).mean())
                if kind != "autoencoder":
                    right = (out[:, 0] > 0.5) == (parts["judge"][:, 8] > 0.5)
                    flips = ((out > 0.5) != (real > 0.5)).mean()
                    return right.mean(), f"accuracy {right.mean():.4f}, flips {flips:.4%}, loss {loss:.5f}", loss
                error = float(np.square(out - judge).mean())
                return -error, f"reconstruction error {error:.5f}, loss {loss:.5f}", loss

            print(f"{kind} seed {seed}: {len(judge)} rows held out; float {score(real)[1]}")
            for scales in ("channel", "tensor"):
                ours, theirs = work / "ours.tflite", work / "theirs.tflite"
                arguments = [work / "network", work / "calibration", scales, "rule", work / "float.tflite", ours]
                subprocess.run([quantise_run, *arguments], check=True)
                theirs.write_bytes(by_tensorflow(model, calibration, scales == "channel"))
                by_ours = run(ours, judge)
                good, text, loss = score(by_ours)
                their_good, their_text, their_loss = score(run(theirs, judge))
                unequal += int((by_tinyml(tinyml_run, ours, judge, "single", work) != by_ours).any(1).sum())
                kept = work / f"{kind}_{scales}_{seed}_ours.tflite"
                kept.write_bytes(ours.read_bytes())
                same = abs(good - their_good) <= 0.001 * abs(their_good)
                verdict = "the same to 0.1 %" if same else "better" if good > their_good else "WORSE"
                worse += verdict == "WORSE"
                print(f"  per {scales}: ours {text} ({ours.stat().st_size} B)")
                print(f"    TensorFlow's {their_text} ({theirs.stat().st_size} B): ours is {verdict}", flush=True)
            np.save(work / f"{kind}_rows.npy", judge)
    print(f"judge_quantiser: {worse} worse, {unequal} rows differ between LiteRT and tinyml (single)")
    sys.exit(1 if unequal else 0)


if __name__ == "__main__":
    main()
