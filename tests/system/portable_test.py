"""The core's integer parts on four kinds of processor: the same hashes."""
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from stator_site import ROOT

HERE = ROOT / "tests/portable"
CORE = ["signal/q15", "signal/decimator", "signal/sensor_fault", "interlock/interlock",
        "firmware/image", "base/crc32c", "tinyml/dense", "tinyml/fixed_point"]
SMALL = ["-Os", "-ffunction-sections", "-fdata-sections", "-fno-exceptions", "-fno-rtti",
         "-fno-threadsafe-statics"]
ARM = "/usr/include/newlib/c++/12.2.1"  # Debian has no libstdc++ for the others: its headers do
BORROWED = ["-nostdinc++", "-isystem", ARM, "-isystem", f"{ARM}/arm-none-eabi/thumb/v7-m/nofp"]
LINK = ["-nostartfiles", "-Wl,--gc-sections"]
# compiler, flags, flags of the link, emulator
MACHINES = {
    "host": ("g++", ["-O2"], [], []),
    "cortex_m": ("arm-none-eabi-g++",
                 [*SMALL, "-mcpu=cortex-m3", "-mthumb", "-mfloat-abi=soft", "--specs=nano.specs"],
                 LINK,
                 ["qemu-system-arm", "-M", "mps2-an386", "-semihosting-config",
                  "enable=on,target=native"]),
    # GCC 12 links rv32imc with 64-bit libraries: rv32im names the right ones.
    "rv32": ("riscv64-unknown-elf-g++",
             [*SMALL, "-march=rv32imc_zicsr", "-mabi=ilp32", "-mcmodel=medany",
              "--specs=picolibc.specs", *BORROWED], [*LINK, "-march=rv32im"],
             ["qemu-system-riscv32", "-M", "virt", "-bios", "none"]),
    "lx106": ("xtensa-lx106-elf-g++",
              [*SMALL, "-mlongcalls", "--specs=/usr/lib/xtensa-lx106-elf/picolibc.specs",
               *BORROWED], LINK,
              ["qemu-system-xtensa", "-M", "sim", "-cpu", "lx106", "-semihosting"]),
}


def said(machine, folder):
    """What the machine's image says."""
    compiler, flags, link, emulator = MACHINES[machine]
    if not shutil.which(compiler) or emulator and not shutil.which(emulator[0]):
        raise AssertionError(f"{compiler} or {(emulator or ['it'])[0]} is missing: ./setup --test")
    sources = [HERE / "integers.cpp", HERE / f"start_{machine}.cpp",
               *([HERE / "no_library.cpp"] if emulator else []),
               *(ROOT / f"src/shared/{name}.cpp" for name in CORE)]
    objects = []
    for source in sources:
        objects.append(folder / f"{machine}_{source.stem}.o")
        subprocess.run([compiler, "-std=c++23", "-Wall", "-Wextra", "-Werror", *flags,
                        "-I", ROOT / "src", "-I", HERE, "-c", source, "-o", objects[-1]], check=True)
    image = folder / f"{machine}.elf"
    script = ["-T", HERE / f"{machine}.ld"] if emulator else ["-Wl,--gc-sections"]
    # As C, for two have no libstdc++; the last -march of a command line counts.
    linker = compiler if machine == "host" else compiler.removesuffix("g++") + "gcc"
    flags = [flag for flag in flags if flag not in BORROWED and not flag.startswith("-fno-r")]
    subprocess.run([linker, *flags, *link, *script, *objects, "-o", image], check=True)
    run = [*emulator, "-display", "none", "-monitor", "none", "-serial", "stdio", "-nic", "none",
           "-kernel", image] if emulator else [image]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False,
                          stdin=subprocess.DEVNULL)
    text = done.stdout + done.stderr
    if "done" not in text:
        raise AssertionError(f"{machine} did not end: {text} ({done.returncode})")
    return dict(re.findall(r"^(.+) = ([0-9a-f]{8})\r?$", text, re.MULTILINE))


class Portable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.host = said("host", cls.folder)

    def test_the_host_says_all(self):
        self.assertEqual(set(self.host), {"q15 spectrum", "q15 features", "decimator",
                                          "sensor faults", "interlock", "firmware header",
                                          "int8 layers", "fixed-point functions", "crc32c"})
        self.assertEqual(len(set(self.host.values())), len(self.host))
        for name, value in self.host.items():
            print(f"{name}: {value}")

    def test_a_cortex_m_without_fpu_gives_the_hosts_bits(self):
        self.assertEqual(said("cortex_m", self.folder), self.host)

    def test_risc_v_gives_the_hosts_bits(self):
        self.assertEqual(said("rv32", self.folder), self.host)

    def test_xtensa_gives_the_hosts_bits(self):
        self.assertEqual(said("lx106", self.folder), self.host)


if __name__ == "__main__":
    unittest.main()
