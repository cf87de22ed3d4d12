"""The emulated board beside a real site, and a model registry that a test may fill with its own."""
import http.server
import json
import re
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from board_site import Board
from firmware_build import build_firmware
from power_cuts import PIECE
from stator_site import Site, signed, wait_until

DEVICE = "14333616"


class Registry(http.server.ThreadingHTTPServer):
    """The model registry as the board sees it: the site's own files, and ours beside them."""

    daemon_threads = True

    def __init__(self, site):
        super().__init__(("127.0.0.1", 0), Answer)
        self.site, self.files, self.cut, self.asked = site, {}, set(), []
        self.furthest, self.heard = {}, threading.Condition()  # by path: byte, and when
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(site.state / "pki/server.pem", site.state / "pki/server.key")
        context.load_verify_locations(site.state / "pki/ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):  # a board that goes is no error
        pass

    def note(self, path, first):
        with self.heard:
            self.asked.append((path, first))
            self.furthest[path] = max(self.furthest.get(path, (-1, 0)), (first, time.monotonic()))
            self.heard.notify_all()

    def wait_for_piece(self, path, number, seconds):
        """Until the board has asked for so many pieces of the file before this one (the first is 0)."""
        with self.heard:
            return self.heard.wait_for(
                lambda: self.furthest.get(path, (-1, 0))[0] >= number * PIECE, seconds)

    def file(self, path):
        if path in self.files:
            return self.files[path]
        status, _, body = self.site.https("models", path, identity="rollout")
        if status == 200:
            self.files[path] = body  # it never changes, and is asked for in a hundred pieces
        return body if status == 200 else None


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.server.file(self.path)
        if body is None:
            self.send_error(404)
            return
        first, last = map(int, re.match(r"bytes=(\d+)-(\d+)", self.headers["Range"]).groups())
        self.server.note(self.path, first)
        part = body[first:last + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{len(body)}")
        self.end_headers()
        if first > 0 and self.path in self.server.cut:  # once, in the middle of a chunk
            self.server.cut.discard(self.path)
            part = part[:len(part) // 2]
            self.close_connection = True
        self.wfile.write(part)


class BoardBesideSite(unittest.TestCase):
    """A running board that is activated; its model registry is the test's."""

    environment = None  # of what writes its factory page
    first_words = "\nactivated"

    @classmethod
    def setUpClass(cls):
        build_firmware()
        folder = tempfile.TemporaryDirectory(prefix="stator-board-")
        cls.addClassCleanup(folder.cleanup)
        cls.site = Site("--bench", folder.name, "--no-fault", "--no-load-change")
        cls.addClassCleanup(cls.site.__exit__)
        cls.board = Board(folder.name)
        cls.addClassCleanup(cls.board.close)
        cls.board.wait_for_site(cls.site)
        cls.registry = Registry(cls.site)
        cls.addClassCleanup(cls.registry.server_close)
        cls.addClassCleanup(cls.registry.shutdown)
        cls.board.provision(cls.site, models_port=cls.registry.server_address[1],
                            image=cls.firmware(), environment=cls.environment)
        cls.before_start()
        cls.board.start()
        cls.wait_for_board(cls.first_words)

    @classmethod
    def firmware(cls):
        """An image in the program's place, where a test needs another."""
        return None

    @classmethod
    def before_start(cls):
        """Where a test needs more in the flash."""

    @classmethod
    def wait_for_board(cls, words):
        try:
            cls.board.wait_for(words, 120)
        except AssertionError as error:  # whose fault it was, the site's words tell
            raise AssertionError(f"{error}\nthe site:\n{cls.site.text()[-3000:]}") from None

    @classmethod
    def events(cls, kind="model"):
        """Each once: what the board said before a restart and was not acknowledged it says again."""
        log = cls.site.stator("log", "tail", "--class", "control", "--all").stdout
        found = {}
        for line in log.splitlines():
            at = line.find("{")
            if at < 0 or f'"{kind}"' not in line:
                continue
            try:
                event = json.loads(line[at:])
            except json.JSONDecodeError:
                continue
            if event.get("event") == kind:
                found.setdefault((event["boot"], event["seq"]), event)
        return list(found.values())

    def sign(self, body, key=None):
        return signed(key or self.site.state / "pki/model-signing.key", body)

    def order(self, command, payload):
        self.publish(json.dumps({"command": command, "payload": payload}))

    def publish(self, payload):
        # `bridge` is a service that does not run here: nobody else's session is taken.
        pki = self.site.state / "pki"
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.site.ports()["mqtts"]), "-V", "5",
             "--cafile", pki / "ca.pem", "--cert", pki / "bridge.pem", "--key", pki / "bridge.key",
             "-i", "bridge", "-q", "1", "-t", f"stator/devices/{DEVICE}/command", "-m", payload],
            check=True, timeout=30,
        )


class BoardWithModels(BoardBesideSite):
    """The board runs a model of the site's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.wait_for_board("\nruns ")
        cls.name = re.search(r"^runs (\S+\.tflite)", cls.board.text(), re.MULTILINE).group(1)
        cls.event(cls.name, "confirmed")
        cls.tflite = cls.registry.file(f"/quantized/{cls.name}")
        cls.manifest = json.loads(cls.registry.file(f"/manifest/{cls.name}").split(b"\n", 1)[1])

    @classmethod
    def event(cls, name, *states):
        def last():
            told = [e for e in cls.events() if e["model"] == name and e["state"] in states]
            return told[-1] if told else None

        return wait_until(f"{name} to be {' or '.join(states)}", last, 60)

    def made(self, name, **changes):
        """A manifest like the running model's, of the next release, with these changes."""
        manifest = {**self.manifest, "name": name, "release": self.manifest["release"] + 1}
        return json.dumps({**manifest, **changes}, separators=(",", ":")).encode()

    def offer(self, name, envelope, tflite=None):
        self.registry.files[f"/manifest/{name}"] = envelope
        self.registry.files[f"/quantized/{name}"] = self.tflite if tflite is None else tflite
        self.order("download-model", name)
