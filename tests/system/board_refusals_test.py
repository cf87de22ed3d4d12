"""Models that the emulated board must not run, served over real TLS: each is refused, with its reason."""
import hashlib
import http.server
import json
import re
import ssl
import subprocess
import tempfile
import threading
import unittest

from board_site import Board, registry_answers
from stator_site import ROOT, Site, wait_until

DEVICE = "14333616"


class Registry(http.server.ThreadingHTTPServer):
    """The model registry as the board sees it: the site's own files, and ours beside them."""

    daemon_threads = True

    def __init__(self, site):
        super().__init__(("127.0.0.1", 0), Answer)
        self.site, self.files, self.cut, self.asked = site, {}, set(), []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(site.state / "pki/server.pem", site.state / "pki/server.key")
        context.load_verify_locations(site.state / "pki/ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        self.socket = context.wrap_socket(self.socket, server_side=True,
                                          do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):  # a board that goes is no error
        pass

    def file(self, path):
        if path in self.files:
            return self.files[path]
        status, _, body = self.site.https("models", path, identity="rollout")
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
        self.server.asked.append((self.path, first))
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


class BoardRefusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        subprocess.run([ROOT / "tools/build", "cortex-m"], check=True, stdout=subprocess.DEVNULL)
        folder = tempfile.TemporaryDirectory(prefix="stator-board-")
        cls.addClassCleanup(folder.cleanup)
        cls.site = Site("--bench", folder.name, "--no-fault", "--no-load-change")
        cls.addClassCleanup(cls.site.__exit__)
        cls.board = Board(folder.name)
        cls.addClassCleanup(cls.board.close)
        wait_until("the registry", lambda: registry_answers(cls.site), 60)
        wait_until("the bench", (cls.board.folder / "bench.answer").exists, 60)
        cls.registry = Registry(cls.site)
        cls.addClassCleanup(cls.registry.server_close)
        cls.addClassCleanup(cls.registry.shutdown)
        cls.board.provision(cls.site, models_port=cls.registry.server_address[1])
        cls.board.start()
        cls.board.wait_for("\nruns ")
        cls.name = re.search(r"^runs (\S+\.tflite)", cls.board.text(), re.MULTILINE).group(1)
        cls.event(cls.name, "confirmed")
        cls.tflite = cls.registry.file(f"/quantized/{cls.name}")
        cls.manifest = json.loads(cls.registry.file(f"/manifest/{cls.name}").split(b"\n", 1)[1])

    @classmethod
    def events(cls, kind="model"):
        log = cls.site.stator("log", "tail", "--class", "control", "--all").stdout
        found = []
        for line in log.splitlines():
            at = line.find("{")
            if at < 0 or f'"{kind}"' not in line:
                continue
            try:
                event = json.loads(line[at:])
            except json.JSONDecodeError:
                continue
            if event.get("event") == kind:
                found.append(event)
        return found

    @classmethod
    def event(cls, name, *states):
        def last():
            told = [e for e in cls.events() if e["model"] == name and e["state"] in states]
            return told[-1] if told else None

        return wait_until(f"{name} to be {' or '.join(states)}", last, 60)

    def sign(self, body, key=None):
        """The envelope of the bytes: r||s in hex, a newline, and they."""
        key = key or self.site.state / "pki/model-signing.key"
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=body,
                             capture_output=True, check=True).stdout
        numbers, at = b"", 2
        for _ in range(2):
            size = der[at + 1]
            numbers += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
            at += 2 + size
        return numbers.hex().encode() + b"\n" + body

    def made(self, name, **changes):
        """A manifest like the running model's, of the next release, with these changes."""
        manifest = {**self.manifest, "name": name, "release": self.manifest["release"] + 1}
        return json.dumps({**manifest, **changes}, separators=(",", ":")).encode()

    def offer(self, name, envelope, tflite=None):
        self.registry.files[f"/manifest/{name}"] = envelope
        self.registry.files[f"/quantized/{name}"] = self.tflite if tflite is None else tflite
        # `bridge` is a service that does not run here: nobody else's session is taken.
        pki = self.site.state / "pki"
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.site.ports()["mqtts"]), "-V", "5",
             "--cafile", pki / "ca.pem", "--cert", pki / "bridge.pem", "--key", pki / "bridge.key",
             "-i", "bridge", "-q", "1", "-t", f"stator/devices/{DEVICE}/command", "-m",
             json.dumps({"command": "download-model", "payload": name})],
            check=True, timeout=30,
        )

    def refused(self, why, envelope, tflite=None):
        name = f"{self.id().split('.')[-1]}.tflite"[-64:].lstrip("_")
        self.offer(name, envelope(name), tflite)
        event = self.event(name, "refused", "trial", "confirmed")
        self.assertEqual((event["state"], event["reason"]), ("refused", why), event)
        runs = re.findall(r"^runs (\S*)", self.board.text(), re.MULTILINE)
        self.assertEqual(set(runs), {self.name})  # nothing else has run, for no moment

    def test_a_model_that_nobody_signed_is_refused(self):
        self.refused("the signature does not verify",
                     lambda name: b"0" * 128 + b"\n" + self.made(name))

    def test_a_manifest_without_a_signature_is_refused(self):
        self.refused("the manifest's envelope cannot be read", self.made)

    def test_a_model_that_somebody_else_signed_is_refused(self):
        self.refused("the signature does not verify", lambda name: self.sign(
            self.made(name), self.site.state / "pki/server.key"))

    def test_a_manifest_that_was_changed_is_refused(self):
        def changed(name):
            signature = self.sign(self.made(name)).split(b"\n", 1)[0]
            return signature + b"\n" + self.made(name, arena_bytes=1)

        self.refused("the signature does not verify", changed)

    def test_a_release_that_does_not_rise_is_refused(self):
        self.refused("its release does not rise", lambda name: self.sign(
            self.made(name, release=self.manifest["release"])))

    def test_a_truncated_model_is_refused(self):
        self.refused("its size is not what the manifest says",
                     lambda name: self.sign(self.made(name)), self.tflite[:-64])

    def test_a_truncated_model_that_says_so_is_refused(self):
        half = self.tflite[:len(self.tflite) // 2]  # well signed, and no model
        name = "half-a-model.tflite"
        self.offer(name, self.sign(self.made(
            name, bytes=len(half), sha256=hashlib.sha256(half).hexdigest())), half)
        event = self.event(name, "refused", "trial", "confirmed")
        self.assertEqual(event["state"], "refused", event)
        self.assertNotIn(event["reason"], ("", "the file's hash is not its manifest's"))

    def test_a_model_with_a_flipped_bit_is_refused(self):
        flipped = bytearray(self.tflite)
        flipped[len(flipped) // 2] ^= 1
        self.refused("the file's hash is not its manifest's",
                     lambda name: self.sign(self.made(name)), bytes(flipped))

    def test_a_model_that_is_too_large_is_refused(self):
        self.refused("the model does not fit the slot",
                     lambda name: self.sign(self.made(name, bytes=2 << 20)))

    def test_a_manifest_that_is_too_large_is_refused(self):
        self.refused("the manifest is larger than this device can hold",
                     lambda name: self.sign(self.made(name, card={"text": "x" * 40_000})))

    def test_a_model_with_another_golden_result_is_refused(self):
        golden = json.loads(json.dumps(self.manifest["golden"]))
        golden["values"][-1] += 0.25
        self.refused("its golden sequence gives another result here",
                     lambda name: self.sign(self.made(name, golden=golden)))

    def test_a_model_that_the_registry_does_not_have_is_refused(self):
        name = "not-there.tflite"
        self.offer(name, None)
        self.assertEqual(self.event(name, "refused")["reason"], "the registry does not have it")

    # Last, for it succeeds: what was refused above was refused for its fault.
    def test_zz_a_good_one_is_taken_where_its_download_broke_and_outlives_a_power_cut(self):
        name = "good.tflite"
        self.registry.cut.add(f"/manifest/{name}")
        self.offer(name, self.sign(self.made(name)))
        event = self.event(name, "refused", "confirmed")
        self.assertEqual((event["state"], event["reason"]), ("confirmed", ""))
        offsets = [at for path, at in self.registry.asked if path == f"/manifest/{name}"]
        self.assertEqual(offsets, sorted(offsets))  # never from the beginning again
        self.assertLess(len(set(offsets)), len(offsets))  # and the broken chunk twice
        self.board.stop()
        before = len(self.board.text())
        self.board.start()
        wait_until("the board to run it again",
                   lambda: f"runs {name}" in self.board.text()[before:], 60)
        # What it tells comes after what it subscribed to: from then on it hears commands.
        wait_until("the board's second start",
                   lambda: any(e["boot"] == 2 for e in self.events("started")), 60)
        self.offer("old.tflite", self.sign(self.made("old.tflite")))
        event = self.event("old.tflite", "refused", "trial", "confirmed")
        self.assertEqual(event["reason"], "its release does not rise")


if __name__ == "__main__":
    unittest.main()
