"""Brokers of somebody else, as sites keep them: a plain Mosquitto, and a real HiveMQ in the long tests."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import kafka_broker
from stator_site import ROOT, wait_until

MOSQUITTO = ROOT / "build/mosquitto/usr"  # as ./setup unpacked it
HIVEMQ = ROOT / "build/hivemq/lib"  # as ./setup --test --long fetched it
USER = "stator"
PASSWORD = "hall-three"


class ForeignBroker:
    """TLS with a password for plant/#, and plaintext for anybody for shed/#."""

    name = ""
    start_s = 30
    ended = "stopped"  # in restart(): by the hardest way that it promises to lose nothing in

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="stator-foreign-"))
        self.plain, self.secure = kafka_broker.free_ports(2)
        self.process = None
        try:
            self.certify()
            (self.directory / "hall.password").write_text(PASSWORD + "\n")
            self.configure()
            self.start()
        except BaseException:
            self.stop()
            raise

    def configure(self):
        """Writes what the broker is started with."""
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def run(self, *arguments):
        done = subprocess.run(arguments, cwd=self.directory, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, arguments))}: {done.stderr}")

    def certify(self):
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        self.run("openssl", "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem",
                 "-subj", "/CN=Somebody else")  # fmt: skip
        self.run("openssl", "req", "-x509", *curve, "-keyout", "hall.key", "-out", "hall.pem",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                 "-CA", "ca.pem", "-CAkey", "ca.key")  # fmt: skip

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=kafka_broker.die_with_parent,
            )  # fmt: skip
        wait_until(f"somebody else's {self.name}", self.answers, self.start_s)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError((self.directory / "log").read_text())
        return subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.plain), "-q", "1",
             "-t", "shed", "-n"],
            capture_output=True,
        ).returncode == 0  # fmt: skip

    def publisher(self, topic, port=None):
        """A mosquitto_pub at QoS 1: a line of its input is a message."""
        secure = port is None
        more = ["--cafile", self.directory / "ca.pem", "-u", USER, "-P", PASSWORD]
        return subprocess.Popen(
            ["mosquitto_pub", "-h", "localhost" if secure else "127.0.0.1",
             "-p", str(port or self.secure), "-V", "5", "-q", "1", "-t", topic, "-l",
             *(more if secure else [])],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def publish(self, topic, *lines, port=None):
        """Returns when this broker has acknowledged each line."""
        process = self.publisher(topic, port)
        _, errors = process.communicate("".join(line + "\n" for line in lines), timeout=300)
        if process.returncode != 0:
            raise AssertionError(f"mosquitto_pub {topic}: {errors}")

    def restart(self):
        """Ends it, and starts it on what it kept."""
        self.process.send_signal(signal.SIGKILL if self.ended == "killed" else signal.SIGTERM)
        self.process.wait(60)
        self.start()

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


class Mosquitto(ForeignBroker):
    name = "Mosquitto"

    def configure(self):
        self.run(MOSQUITTO / "bin/mosquitto_passwd", "-b", "-c", "passwords", USER, PASSWORD)
        user = "root" if os.geteuid() == 0 else os.environ.get("USER", "nobody")
        (self.directory / "mosquitto.conf").write_text(
            f"""per_listener_settings true
user {user}
log_dest stderr
log_type warning
log_type error
persistence true
persistence_location {self.directory}/
autosave_interval 1
max_queued_messages 0
set_tcp_nodelay true
listener {self.plain} 127.0.0.1
allow_anonymous true
listener {self.secure} 127.0.0.1
allow_anonymous false
password_file {self.directory}/passwords
cafile {self.directory}/ca.pem
certfile {self.directory}/hall.pem
keyfile {self.directory}/hall.key
"""
        )

    def command(self):
        return [MOSQUITTO / "sbin/mosquitto", "-c", self.directory / "mosquitto.conf"]


class HiveMq(ForeignBroker):
    """HiveMQ Community Edition, embedded in a program of ours that says who comes in."""

    name = "HiveMQ"
    ended = "killed"
    start_s = 180  # on a machine with other work; alone it takes a few

    @staticmethod
    def missing():
        """What it lacks on this machine, as a sentence; empty when it is all there."""
        if not any(HIVEMQ.glob("hivemq-community-edition-embedded-*.jar")):
            return f"no HiveMQ in {HIVEMQ}: run ./setup --test --long"
        return "" if shutil.which("javac") else "no javac: run ./setup --test --long"

    def configure(self):
        # By default a session's queue holds 1,000 messages, and HiveMQ lets go of what it has
        # acknowledged beyond that: docs/adopt-a-broker.md says so.
        self.run("openssl", "pkcs12", "-export", "-in", "hall.pem", "-inkey", "hall.key",
                 "-certfile", "ca.pem", "-out", "hall.p12",
                 "-passout", "pass:" + PASSWORD)  # fmt: skip
        (self.directory / "config.xml").write_text(
            f"""<hivemq>
<listeners>
  <tcp-listener><port>{self.plain}</port><bind-address>127.0.0.1</bind-address></tcp-listener>
  <tls-tcp-listener>
    <port>{self.secure}</port><bind-address>127.0.0.1</bind-address>
    <tls><keystore>
      <path>{self.directory}/hall.p12</path>
      <password>{PASSWORD}</password><private-key-password>{PASSWORD}</private-key-password>
    </keystore></tls>
  </tls-tcp-listener>
</listeners>
<mqtt><queued-messages><max-queue-size>1000000</max-queue-size></queued-messages></mqtt>
<anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>
</hivemq>
"""
        )
        (self.directory / "data").mkdir()
        self.run("javac", "-cp", f"{HIVEMQ}/*", "-d", self.directory,
                 ROOT / "tests/system/hivemq/Broker.java")  # fmt: skip

    def command(self):
        return [*kafka_broker.JAVA, "-Xmx256m", "-cp", f"{self.directory}:{HIVEMQ}/*", "Broker",
                self.directory, self.directory / "data", USER,
                self.directory / "hall.password"]  # fmt: skip
