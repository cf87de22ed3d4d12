"""The emulated board's network: DHCP, SNTP with a lower bound, MQTT over mutual TLS 1.2, and what it must refuse."""
import calendar
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import budgets
from cortex_m_test import MODEL_AT, pairs
from firmware_build import BUILD, build_firmware, tool
from stator_site import ROOT, wait_until

FIELDS_AT = MODEL_AT
HOST = "broker.test"
BOUND = calendar.timegm((2026, 1, 1, 0, 0, 0))


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TimeServer(threading.Thread):
    """SNTP on loopback; says `unix_s` (None: the true time), or nothing at all."""

    def __init__(self, unix_s=None, silent=False, forge=False):
        super().__init__(daemon=True)
        self.unix_s, self.silent, self.forge = unix_s, silent, forge
        self.asked = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                packet, sender = self.socket.recvfrom(200)
            except OSError:
                return
            self.asked += 1
            if self.silent:
                continue
            seconds = int(self.unix_s or time.time()) + 2208988800
            cookie = b"not asked" [:8] if self.forge else packet[40:48]
            head = struct.pack("!BBbbII4s", 0x24, 1, 6, -20, 0, 0, b"LOCL")
            stamp = struct.pack("!II", seconds & 0xFFFFFFFF, 0)
            self.socket.sendto(head + stamp + cookie + stamp + stamp, sender)

    def close(self):
        self.socket.close()


class Network(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build_firmware()
        folder = tempfile.TemporaryDirectory(prefix="stator-board-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.folder.chmod(0o755)
        for name in ("ca", "other-ca"):
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-keyout", cls.folder / f"{name}.key", "-out",
                    cls.folder / f"{name}.pem", "-days", 3650, "-subj", f"/CN={name}",
                    "-addext", "keyUsage=critical,keyCertSign")
        cls.leaf("server", "ca", HOST, "serverAuth")
        cls.leaf("other-host", "ca", "elsewhere.test", "serverAuth")
        cls.leaf("board", "ca", "board-1", "clientAuth")
        cls.leaf("stranger", "other-ca", "board-1", "clientAuth")
        cls.leaf("expired", "ca", HOST, "serverAuth", days=-1)

    @classmethod
    def leaf(cls, name, ca, host, use, days=365):
        at = cls.folder / name
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", f"{at}.key", "-out", f"{at}.csr", "-subj", f"/CN={host}")
        (cls.folder / "extensions").write_text(
            f"basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n"
            f"extendedKeyUsage={use}\nsubjectAltName=DNS:{host}\n"
        )
        openssl("x509", "-req", "-in", f"{at}.csr", "-CA", cls.folder / f"{ca}.pem", "-CAkey",
                cls.folder / f"{ca}.key", "-CAcreateserial", "-days", days, "-out", f"{at}.pem",
                "-extfile", cls.folder / "extensions")

    def broker(self, server):
        """A Mosquitto of its own that wants client certificates of our CA: its port."""
        port = free_port()
        configuration = self.folder / f"{self.id()}.conf"
        configuration.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n"
            f"cafile {self.folder}/ca.pem\ncertfile {self.folder}/{server}.pem\n"
            f"keyfile {self.folder}/{server}.key\nrequire_certificate true\ntls_version tlsv1.2\n"
        )
        self.log = self.folder / f"{self.id()}.log"
        with open(self.log, "wb") as log:
            program = subprocess.Popen(
                [ROOT / "build/mosquitto/usr/sbin/mosquitto", "-v", "-c", configuration],
                stdout=log, stderr=subprocess.STDOUT,
            )
        self.addCleanup(program.wait)
        self.addCleanup(program.terminate)
        wait_until("the broker", lambda: "Opening ipv4 listen socket" in self.log.read_text())
        return port

    def board(self, server="server", identity="board", ca="ca", clock=None, bound=BOUND, counted=False):
        clock = clock or TimeServer()
        self.addCleanup(clock.close)
        fields = [
            HOST, str(self.broker(server)), str(clock.port), str(bound), "board-1",
            *((self.folder / name).read_text()
              for name in (f"{ca}.pem", f"{identity}.pem", f"{identity}.key")),
        ]
        # Length and bytes; a text of numbers ends before its zero, a PEM counts it.
        packed = b""
        for field in fields:
            content = field.encode() + b"\0"
            packed += struct.pack("<I", len(content)) + content
        file = self.folder / f"{self.id()}.fields"
        file.write_bytes(packed)
        done = subprocess.run(
            [tool("qemu-system-arm"), "-M", "mps2-an386", "-display", "none", "-monitor", "none",
             "-serial", "stdio", "-kernel", BUILD / "network_image.elf",
             "-nic", "user,model=lan9118", "-semihosting-config", "enable=on,target=native",
             "-device", f"loader,file={file},addr={FIELDS_AT:#x},force-raw=on",
             *(["-icount", "shift=6"] if counted else [])],
            capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
        )
        return done.stdout

    def result(self, text):
        found = re.search(r"^result (.+)$", text, re.MULTILINE)
        self.assertIsNotNone(found, text)
        return found.group(1)

    def test_a_message_is_acknowledged_over_mutual_tls(self):
        text = self.board(counted=True)  # instructions are the board's time
        self.assertEqual(self.result(text), "acknowledged", text + self.log.read_text())
        self.assertIn("time and entropy conform", text)
        log = self.log.read_text()
        self.assertIn("Received PUBLISH from board-1", log)
        self.assertIn("Received DISCONNECT from board-1", log)  # a planned end is no last will
        costs = {name: int(value) for name, value in pairs("cost", text).items()}
        budgets.hold(self, "network_image", budgets.sizes(BUILD / "network_image.elf") | costs)

    def refused(self, why, **how):
        text = self.board(**how)
        self.assertEqual(self.result(text), why, text)
        self.assertNotIn("Received PUBLISH", self.log.read_text())

    def test_a_server_of_another_ca_is_refused(self):
        self.refused("the server's certificate is not of our CA", ca="other-ca")

    def test_a_server_of_another_name_is_refused(self):
        self.refused("the server's certificate is for another host", server="other-host")

    def test_an_expired_certificate_is_refused(self):
        self.refused("the server's certificate has expired", server="expired")

    def test_without_a_clock_nothing_is_trusted(self):
        clock = TimeServer(silent=True)
        self.refused("no clock", clock=clock)
        self.assertGreater(clock.asked, 0)

    def test_a_time_below_the_bound_is_no_time(self):
        clock = TimeServer(unix_s=calendar.timegm((2020, 1, 1, 0, 0, 0)))
        self.refused("no clock", clock=clock)
        self.assertGreater(clock.asked, 0)

    def test_a_time_that_was_not_asked_for_is_no_time(self):
        self.refused("no clock", clock=TimeServer(forge=True))

    def test_a_board_of_another_ca_is_not_let_in(self):
        text = self.board(identity="stranger")
        self.assertNotEqual(self.result(text), "acknowledged", text)
        self.assertNotIn("Received PUBLISH", self.log.read_text())


if __name__ == "__main__":
    unittest.main()
