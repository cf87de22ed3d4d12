"""Compares tinyml with TFLM (rounding double) and LiteRT (rounding single), bit for bit.

With --convert the models are those of TensorFlow's own converter: two minutes of set-up (1.5 GB from
PyPI) and a minute of converting, so only where STATOR_LONG is set (`./test --long`).
Exit 77 (skipped) where the Python environment with the engines cannot be made.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import venv

ROWS = 4000
HERE = pathlib.Path(__file__).parent


def environment(folder: pathlib.Path, wish: str, imports: str) -> pathlib.Path:
    python = folder / "bin" / "python"
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        have = [python, "-c", f"import {imports}"]
        if subprocess.run(have, capture_output=True).returncode != 0:
            install = [python, "-m", "pip", "install", "-q", "-r", HERE / wish]
            subprocess.run(install, check=True, timeout=900)
        return python
    except (OSError, subprocess.SubprocessError) as error:
        print(f"oracle: skipped, no environment with {imports}: {error}")
        sys.exit(77)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--make")
    parser.add_argument("--convert", type=pathlib.Path, metavar="VENV")
    parser.add_argument("--run", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if arguments.convert and not os.environ.get("STATOR_LONG"):
        print("oracle: skipped, TensorFlow's converter is run by ./test --long only")
        sys.exit(77)
    models = arguments.work / "models"
    models.mkdir(parents=True, exist_ok=True)
    for old in models.glob("*.tflite"):
        old.unlink()
    if arguments.convert:
        tensorflow = environment(arguments.convert, "requirements-tensorflow.txt", "tensorflow")
        subprocess.run([tensorflow, HERE / "convert.py", models], check=True, timeout=600)
    else:
        subprocess.run([arguments.make, models], check=True)
    python = environment(arguments.venv, "requirements.txt", "tflite_micro, ai_edge_litert, numpy")
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    compare = [python, HERE / "compare.py", arguments.run, arguments.work]
    sys.exit(subprocess.run(compare, env=quiet).returncode)


if __name__ == "__main__":
    main()
