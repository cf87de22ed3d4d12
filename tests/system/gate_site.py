"""A site without a machine: `stator up`, devices with certificates, and what the log has of them."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.request

from kafka_broker import free_ports
from mqtt_wire import Wire
from stator_site import STATOR, wait_until


class GateSite:
    def __init__(self, state=None, environment=None, settings=None):
        """`settings`: {"log.telemetry_bytes": ...} for stator.toml's keys, through the environment."""
        self.own_state = state is None
        self.state = pathlib.Path(state or tempfile.mkdtemp(prefix="stator-gate-"))
        self.environment = {**os.environ, **(environment or {})}
        for key, value in (settings or {}).items():
            self.environment["STATOR_" + key.upper().replace(".", "_")] = str(value)
        # Ports of its own: what a broker that was killed leaves free is another test's to take.
        for key, port in zip(("MQTT", "MQTTS"), free_ports(2)):
            self.environment.setdefault("STATOR_PORTS_" + key, str(port))
        self.stator("init")
        self.output = open(f"{self.state}.out", "wb")
        self.process = subprocess.Popen(
            [STATOR, "up", "--state", self.state], stdout=self.output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True, env=self.environment,
        )  # fmt: skip
        try:
            wait_until("the site to be well", self.well, 60)
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def broker_alone(self):
        """Stops the site and returns how its broker was started: for a test that starts it itself."""
        pid = wait_until("the broker", self.broker_pid, 10)
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
        self.stop_processes()
        return command

    def stop(self):
        self.stop_processes()
        self.output.close()
        if self.own_state:
            shutil.rmtree(self.state, ignore_errors=True)
            pathlib.Path(f"{self.state}.out").unlink(missing_ok=True)

    def stop_processes(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                raise

    def well(self):
        if self.process.poll() is not None:
            raise AssertionError(pathlib.Path(f"{self.state}.out").read_text()[-3000:])
        try:
            port = self.ports()["ops_up"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except (OSError, KeyError):
            return False

    def stator(self, *arguments, check=True):
        return subprocess.run(
            [STATOR, *arguments, "--state", self.state], env=self.environment, check=check,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def ports(self):
        file = self.state / "run/ports.toml"
        return {n: int(v) for n, v in re.findall(r"^(\w+) = (\d+)$", file.read_text(), re.MULTILINE)}

    def ca(self):
        return self.state / "pki/ca.pem"

    def add(self, name):
        self.stator("device", "add", name)
        return self.credentials(name)

    def credentials(self, name):
        node = self.state / "nodes" / name
        return self.ca(), node / "certificate.pem", node / "key.pem"

    def service(self, name):
        return self.ca(), self.state / f"pki/{name}.pem", self.state / f"pki/{name}.key"

    def wire(self, credentials, timeout=10):
        return Wire(self.ports()["mqtts"], credentials, timeout)

    def joined(self, name, version=5):
        """A device's connection, let in."""
        wire = self.wire(self.credentials(name))
        try:
            code = wire.connect(name, version)
            if code != 0:
                raise AssertionError(f"{name} was not let in: reason {code}")
        except BaseException:
            wire.close()
            raise
        return wire

    def broker_pid(self):
        """Of the mosquitto that is this site's child; None while there is none."""
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and str(self.state / "conf/mosquitto.conf") in (entry / "cmdline").read_text():
                    return int(entry.name)
            except OSError:
                continue
        return None

    def log(self, log_class="telemetry"):
        """Every record of a class, as `stator log tail` prints it."""
        return self.stator("log", "tail", "--class", log_class, "--all").stdout.splitlines()

    def sequences(self):
        """{(device, boot, seq): how many times} in the telemetry log."""
        found = {}
        for line in self.log():
            match = re.search(r'\{.*"deviceID".*\}', line)
            if not match:
                continue
            message = json.loads(match.group(0))
            key = (message["deviceID"], message.get("boot"), message.get("seq"))
            found[key] = found.get(key, 0) + 1
        return found

    def metric(self, name, labels=""):
        """A metric of the gate's; 0 while there is none."""
        port = self.ports()["ops_up"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            body = answer.read().decode()
        wanted = name + (f"{{{labels}}}" if labels else "")
        for line in body.splitlines():
            if line.startswith(wanted + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def broker_words(self):
        return (self.state / "journal/mosquitto.log").read_text(errors="replace")
