"""The firmware's images and the tools that they need."""
import shutil
import subprocess

from stator_site import ROOT

BUILD = ROOT / "build/cortex-m"


def tool(name):
    found = shutil.which(name)
    if not found:
        raise AssertionError(f"{name} is not installed: run ./setup --test")
    return found


def build_firmware():
    tool("arm-none-eabi-g++")
    subprocess.run([ROOT / "tools/build", "cortex-m"], check=True, stdout=subprocess.DEVNULL)
