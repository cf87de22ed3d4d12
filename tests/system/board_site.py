"""An emulated board beside a real site: its bench, its flash image, its clock, and the emulator.

The emulator loads the boot stage alone; the program comes out of the flash image, as on a device.
"""
import os
import pathlib
import re
import subprocess

from cortex_m_network_test import TimeServer
from firmware_build import BUILD, tool
from stator_site import STATOR, wait_until

LEVEL2_BOARD = "mps2-an386-edge"


def registry_answers(site):
    try:
        return site.https("devices", "/healthz", identity=None)[0]
    except (OSError, AssertionError):
        return False


FACTORY_MODEL = slice((4 << 20) + (16 << 10), (4 << 20) + (272 << 10))  # in the flash (memory.h)


class Board:
    """The boot stage and the node on QEMU, in a folder of its own with its flash and the bench's pipes."""

    def __init__(self, folder, clock=None):
        self.folder = pathlib.Path(folder)
        self.flash = self.folder / "flash.img"
        self.output = self.folder / "uart.txt"
        self.clock = clock or TimeServer()
        self.emulator = None
        self.nic = "user,model=lan9118"

    def wait_for_site(self, site):
        """Until the registry answers, and the bench is there."""
        wait_until("the registry", lambda: registry_answers(site), 60)
        wait_until("the bench", (self.folder / "bench.answer").exists, 60)

    def provision(self, site, device="14333616", models_port=None, environment=None, image=None, model=None):
        """As a factory: the running registry enrols the device, its page goes into the image, and a model."""
        plain = BUILD / "node_image.bin"
        if image:
            plain = self.folder / "factory.bin"
            plain.write_bytes(image)
        ports = {"STATOR_PORTS_MODELS": str(models_port)} if models_port else {}
        firmware = self.pack(site, plain, "1.bin", release=1)
        more = ["--model", model] if model else []
        self.write_flash(site, device, firmware, *more, environment={**ports, **(environment or {})})

    def provision_level2(self, site, identity, judged_class):
        """A board that judges the class's devices in level 2's place."""
        firmware = self.pack(site, BUILD / "level2_image.bin", "1.bin", release=1, board=LEVEL2_BOARD)
        self.write_flash(site, identity, firmware, "--level2", judged_class)

    def write_flash(self, site, device, firmware, *more, environment=None):
        done = subprocess.run(
            [STATOR, "device", "flash", device, self.flash, "--time-port", str(self.clock.port),
             "--firmware", firmware, "--state", site.state, *more],
            env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=60, check=False,
        )
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def pack(self, site, image, name, **options):
        """The image as the site's people sign it for devices."""
        given = [word for key, value in options.items() for word in (f"--{key}", str(value))]
        done = subprocess.run(
            [STATOR, "firmware", "pack", image, self.folder / name, "--state", site.state, *given],
            capture_output=True, text=True, timeout=60, check=False,
        )
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        return self.folder / name

    def start(self):
        # What the emulator says of itself would part the board's lines.
        with open(self.output, "ab") as out, open(self.folder / "emulator.txt", "ab") as own:
            self.emulator = subprocess.Popen(
                [tool("qemu-system-arm"), "-M", "mps2-an386", "-display", "none",
                 "-monitor", "none", "-serial", "stdio", "-nic", self.nic,
                 "-object", f"memory-backend-file,id=ps,size=16M,mem-path={self.flash},share=on",
                 "-machine", "memory-backend=ps", "-kernel", BUILD / "boot_image.elf",
                 "-semihosting-config", "enable=on,target=native"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=own,
            )

    def stop(self):
        if self.emulator:
            self.emulator.kill()
            self.emulator.wait()
            self.emulator = None

    def close(self):
        self.stop()
        self.clock.close()

    def text(self):
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def wait_for(self, words, seconds=60.0):
        try:
            wait_until(f"the board to say {words!r}", lambda: words in self.text(), seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said:\n{self.text()[-3000:]}") from None

    def cost(self, name):
        found = re.findall(rf"^cost {name} = (\d+)$", self.text(), re.MULTILINE)
        return int(found[-1]) if found else None
