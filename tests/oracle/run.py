"""Compares tinyml with TFLM (rounding double) and LiteRT (rounding single), bit for bit.

Exit 77 (skipped) where the Python environment with both engines cannot be made.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import venv

ROWS = 4000
HERE = pathlib.Path(__file__).parent


def environment(folder: pathlib.Path) -> pathlib.Path:
    python = folder / "bin" / "python"
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        have = [python, "-c", "import tflite_micro, ai_edge_litert, numpy"]
        if subprocess.run(have, capture_output=True).returncode != 0:
            install = [python, "-m", "pip", "install", "-q", "-r", HERE / "requirements.txt"]
            subprocess.run(install, check=True, timeout=600)
        return python
    except (OSError, subprocess.SubprocessError) as error:
        print(f"oracle: skipped, no environment with tflite-micro and ai-edge-litert: {error}")
        sys.exit(77)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--make", required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--venv", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    models = arguments.work / "models"
    models.mkdir(parents=True, exist_ok=True)
    for old in models.glob("*.tflite"):
        old.unlink()
    subprocess.run([arguments.make, models], check=True)
    python = environment(arguments.venv)
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    compare = [python, HERE / "compare.py", arguments.run, arguments.work]
    sys.exit(subprocess.run(compare, env=quiet).returncode)


if __name__ == "__main__":
    main()
