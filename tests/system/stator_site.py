"""A Stator site that a test starts, drives as a user would, and stops."""
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
STATOR = pathlib.Path(os.environ.get("STATOR_PROGRAM", ROOT / "build/release/stator"))
LONG = bool(os.environ.get("STATOR_LONG"))


def data_folder():
    folder = pathlib.Path(os.environ.get("STATOR_DATA", ROOT.parent / "shared/data"))
    return folder if folder.is_dir() else None


def wait_until(what, condition, seconds=30.0, every_s=0.05):
    """Returns the condition's first true value; fails, naming `what`, when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(every_s)


def signed(key, body):
    """A manifest's envelope: r||s in hex, a newline, and the bytes that are signed."""
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=body,
                         capture_output=True, check=True).stdout  # fmt: skip
    numbers, at = b"", 2
    for _ in range(2):
        size = der[at + 1]
        numbers += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
        at += 2 + size
    return numbers.hex().encode() + b"\n" + body


class Site:
    """`stator demo`, or another command that runs a site, with a state directory of its own."""

    def __init__(self, *arguments, state=None, environment=None, command="demo"):
        self.own_state = state is None
        self.state = pathlib.Path(state or tempfile.mkdtemp(prefix="stator-test-"))
        self.output = self.state.parent / (self.state.name + ".out")
        self.started = time.monotonic()
        with open(self.output, "wb") as out:
            self.process = subprocess.Popen(
                [STATOR, command, "--state", self.state, *arguments],
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if self.own_state:
            shutil.rmtree(self.state, ignore_errors=True)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill_everything()
                raise AssertionError("the site did not stop within 20 s of SIGTERM")
        return self.process.returncode

    def pids(self):
        """Every process of this site: its session's."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[3]) == self.process.pid and fields[0] != "Z":
                    found.append(int(entry.name))
            except (OSError, IndexError, ValueError):
                continue
        return found

    def kill_everything(self):
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait(10)
        wait_until("every process to be gone", lambda: not self.pids(), 10)

    def kill_broker(self):
        """kill -9; what supervises it starts another."""
        for pid in self.pids():
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name == "mosquitto":
                os.kill(pid, signal.SIGKILL)
                return
        raise AssertionError("no broker to kill")

    def text(self):
        return self.output.read_text(errors="replace")

    def wait_for_exit(self, seconds):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            tail = self.text()[-4000:]
            self.kill_everything()
            raise AssertionError(f"the site did not end within {seconds} s; its last words:\n{tail}")

    # What a person reads off the terminal.
    def link(self):
        return wait_until(
            "the page's link",
            lambda: (m := re.search(r"http://127\.0\.0\.1:\d+/enter\?code=[0-9a-f]+", self.text()))
            and m.group(0),
        )

    def console_url(self):
        return self.link().split("/enter")[0]

    def ports(self):
        file = self.state / "run/ports.toml"
        wait_until("the ports in use", file.is_file)
        return {
            name: int(value)
            for name, value in re.findall(r"^(\w+) = (\d+)$", file.read_text(), re.MULTILINE)
        }

    def token(self):
        file = self.state / "run/operator.token"
        return wait_until("the operator's token", lambda: file.is_file() and file.read_text().strip())

    # What an operator's script asks and says.
    def ask(self, path, body=None, token=None):
        request = urllib.request.Request(
            self.console_url() + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token or self.token()}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.loads(response.read() or b"{}")

    def overview(self):
        try:
            return self.ask("/api/v1/overview")
        except (OSError, urllib.error.URLError):
            return None

    def wait_for_step(self, number, seconds):
        def reached():
            view = self.overview()
            return view if view and view["steps"][number]["done"] else None

        return wait_until(f"step {number}", reached, seconds)

    def https(self, service, path, data=None, method=None, headers=None, identity="console"):
        """(status, headers, body) of a registry, verified against the site's CA.

        `identity`: whose client certificate to show; None for none.
        """
        context = ssl.create_default_context(cafile=self.state / "pki/ca.pem")
        if identity:
            context.load_cert_chain(
                self.state / f"pki/{identity}.pem", self.state / f"pki/{identity}.key"
            )
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.ports()[service]}{path}",
            data=data,
            method=method,
            headers=headers or {},
        )
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as response:
                return response.status, dict(response.headers), response.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def stator(self, *arguments, check=True):
        return subprocess.run(
            [STATOR, *arguments, "--state", self.state],
            check=check,
            capture_output=True,
            text=True,
            timeout=60,
        )
