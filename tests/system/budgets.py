"""What the firmware may cost: every figure is printed beside its budget, and one above it fails."""
import subprocess
import tomllib

from firmware_build import tool
from stator_site import ROOT

FILE = ROOT / "src/sense/port/cortex_m/budgets.toml"


def budgets_of(image):
    return tomllib.loads(FILE.read_text())[image]


def sizes(elf):
    """Bytes of an image's code, constants and initial values in flash, and of what it takes of RAM."""
    size = subprocess.run([tool("arm-none-eabi-size"), elf], capture_output=True, text=True,
                          check=True).stdout.splitlines()[1].split()
    text, data, bss = (int(number) for number in size[:3])
    return {"flash": text + data, "static_ram": data + bss}


def hold(test, image, spent, budgets=None):
    """A cost without a budget is as wrong as a budget that nothing was held to."""
    budgets = budgets or budgets_of(image)
    test.assertEqual(set(spent), set(budgets), f"[{image}] of {FILE}")
    for name, most in budgets.items():
        print(f"budget {image} {name}: {spent[name]} of {most}")  # tools/summary.py shows these
    over = {name: spent[name] for name, most in budgets.items() if spent[name] > most}
    test.assertEqual(over, {}, f"above [{image}] of {FILE}")
