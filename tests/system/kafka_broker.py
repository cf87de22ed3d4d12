"""A real Apache Kafka for tests: one node or three, KRaft, on free loopback ports, of its own files.

    with Kafka(nodes=3) as kafka:
        kafka.kcat("-P", "-t", "data", input=b"...")
        kafka.kill(2); kafka.start(2)

Each node listens in plaintext and over TLS with SCRAM-SHA-256/512 (user, password and CA below).
Topics come into being when they are first named: three replicas on three nodes, of which two must
have a record before it counts. Everything is stopped at the end of the block, on a failure too, and
the nodes die with the process that started them, however that ends.

By hand: `kafka_broker.py [--nodes 3] [--partitions 3]` prints shell variables and serves until
SIGTERM or the end of its input; `kafka_broker.py tell PORT "kill 1"` (or `start 1`) commands it.
"""
import argparse
import ctypes
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARIES = pathlib.Path(os.environ.get("STATOR_KAFKA_LIBRARIES", ROOT / "build/kafka/lib"))
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"
USER = "stator"
PASSWORD = "four-poles-shaded"

# C1 alone: a broker of seconds gains nothing from C2, and starts in half the time without it.
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]

NODE = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_SSL://127.0.0.1:{secure}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
log.dirs={data}
num.partitions={partitions}
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
unclean.leader.election.enable=false
auto.create.topics.enable=true
log.retention.ms=-1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
controller.quorum.fetch.timeout.ms=1000
controller.quorum.election.timeout.ms=500
"""


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_ports(count):
    """Ports that nobody listens on, from below the range that outgoing connections are given."""
    found, held = [], []
    try:
        while len(found) < count:
            port = random.randrange(12000, 32000)
            trial = socket.socket()
            held.append(trial)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
        return found
    finally:
        for trial in held:
            trial.close()


def missing():
    """What a real Kafka lacks on this machine, as a sentence; empty when it is all there."""
    if not any(LIBRARIES.glob("kafka_2.13-*.jar")):
        return f"no Kafka in {LIBRARIES}: run ./setup --test"
    for program in ("java", "kcat", "openssl"):
        if not shutil.which(program):
            return f"no {program}: run ./setup --test"
    return ""


class Kafka:
    def __init__(self, nodes=1, partitions=1, heap="256m", start=True, settings=None):
        """`settings`: {"log.message.timestamp.type": ...} of its own, beside NODE's."""
        lacking = missing()
        if lacking:
            raise RuntimeError(lacking)
        self.nodes = list(range(1, nodes + 1))
        self.partitions = partitions
        self.heap = heap
        self.settings = settings or {}
        self.processes = {}
        self.listener = None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="stator-kafka-"))
        try:
            ports = free_ports(3 * nodes)
            self.plain = dict(zip(self.nodes, ports[:nodes]))
            self.secure = dict(zip(self.nodes, ports[nodes : 2 * nodes]))
            self.controller = dict(zip(self.nodes, ports[2 * nodes :]))
            self.certify()
            self.format()
            if start:
                for node in self.nodes:
                    self.launch(node)
                self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # Where clients find it.
    @property
    def bootstrap(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.plain.values())

    @property
    def secure_bootstrap(self):
        return ",".join(f"127.0.0.1:{port}" for port in self.secure.values())

    @property
    def ca(self):
        return self.directory / "ca.pem"

    def environment(self):
        """What tells our own tests where this Kafka is, and lets them kill and start its nodes."""
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", 0))
            threading.Thread(target=serve_commands, args=(self, self.listener), daemon=True).start()
        port = self.listener.getsockname()[1]
        return {
            "STATOR_KAFKA_BOOTSTRAP": self.bootstrap,
            "STATOR_KAFKA_SECURE_BOOTSTRAP": self.secure_bootstrap,
            "STATOR_KAFKA_CA": str(self.ca),
            "STATOR_KAFKA_USER": USER,
            "STATOR_KAFKA_PASSWORD": PASSWORD,
            "STATOR_KAFKA_TELL": f"{sys.executable} {__file__} tell {port}",
        }

    # What can happen to it.
    def kill(self, node=1):
        """kill -9: what it had not synced to its disk is for its followers to know."""
        process = self.processes.pop(node)
        process.kill()
        process.wait()

    def start(self, node=1, wait=True):
        self.launch(node)
        if wait:
            self.wait_ready()

    def stop(self):
        if self.listener is not None:
            self.listener.close()
        for process in self.processes.values():
            process.kill()  # nobody reads its files again: no orderly end, which takes seconds
        for process in self.processes.values():
            process.wait()
        self.processes.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def kcat(self, *arguments, input=None, secure=None, timeout=30, check=True):
        """kcat's bytes; `secure`: the SCRAM mechanism to log in with over TLS."""
        where = ["-b", self.secure_bootstrap if secure else self.bootstrap]
        if secure:
            settings = {
                "security.protocol": "SASL_SSL",
                "sasl.mechanisms": secure,
                "sasl.username": USER,
                "sasl.password": PASSWORD,
                "ssl.ca.location": self.ca,
            }
            for name, value in settings.items():
                where += ["-X", f"{name}={value}"]
        done = subprocess.run(
            ["kcat", *where, *arguments], input=input, capture_output=True, timeout=timeout
        )
        if check and done.returncode != 0:
            raise AssertionError(f"kcat {' '.join(arguments)}: {done.stderr.decode()}")
        return done.stdout

    def in_sync(self, topic):
        """Each partition's number of in-sync replicas."""
        listing = self.kcat("-L", "-t", topic, "-m", "5", check=False).decode()
        return [len(found.split(",")) for found in re.findall(r"isrs: ([\d,]+)", listing)]

    def wait_in_sync(self, topic, seconds=60):
        self.wait(
            f"every replica of {topic}",
            lambda: (counts := self.in_sync(topic)) and set(counts) == {len(self.nodes)},
            seconds,
        )

    def log_of(self, node):
        return (self.directory / f"{node}.log").read_text(errors="replace")

    # How it comes up.
    def certify(self):
        def openssl(*arguments):
            done = subprocess.run(
                ["openssl", *arguments], cwd=self.directory, capture_output=True, text=True
            )
            if done.returncode != 0:
                raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")

        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl(
            "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=Kafka of a test",
        )  # fmt: skip
        openssl(
            "req", "-x509", *curve, "-keyout", "broker.key", "-out", "broker.pem", "-days", "2",
            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
            "-CA", "ca.pem", "-CAkey", "ca.key",
        )  # fmt: skip
        key = (self.directory / "broker.key").read_text()
        certificate = (self.directory / "broker.pem").read_text()
        (self.directory / "broker.store.pem").write_text(key + certificate + self.ca.read_text())

    def config(self, node):
        return self.directory / f"{node}.properties"

    def format(self):
        replicas = len(self.nodes)
        for node in self.nodes:
            self.config(node).write_text(
                NODE.format(
                    node=node,
                    voters=",".join(f"{n}@127.0.0.1:{p}" for n, p in self.controller.items()),
                    plain=self.plain[node],
                    secure=self.secure[node],
                    controller=self.controller[node],
                    keystore=self.directory / "broker.store.pem",
                    data=self.directory / f"data-{node}",
                    partitions=self.partitions,
                    replicas=replicas,
                    in_sync=min(2, replicas),
                )
                + "".join(f"{key}={value}\n" for key, value in self.settings.items())
            )
        users = []
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            users += ["-S", f"{mechanism}=[name={USER},password={PASSWORD}]"]
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"
        tools = [
            subprocess.Popen(
                [*JAVA, "-Xmx96m", quiet, "-cp", f"{LIBRARIES}/*", "kafka.tools.StorageTool",
                 "format", "-t", CLUSTER_ID, "-c", self.config(node), *users],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=die_with_parent,
            )
            for node in self.nodes
        ]  # fmt: skip
        said = [(tool.communicate()[0], tool.returncode) for tool in tools]
        for output, code in said:
            if code != 0:
                raise RuntimeError(f"Kafka did not format its storage: {output.decode()}")

    def launch(self, node):
        level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        with open(self.directory / f"{node}.log", "ab") as log:
            self.processes[node] = subprocess.Popen(
                [*JAVA, f"-Xmx{self.heap}", "-Xms64m", level, "-cp", f"{LIBRARIES}/*",
                 "kafka.Kafka", self.config(node)],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )  # fmt: skip

    def ready(self):
        for node, process in self.processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"Kafka's node {node} ended: {self.log_of(node)[-3000:]}")
        listing = self.kcat("-L", "-m", "2", check=False).decode()
        found = re.search(r"(\d+) brokers:", listing)
        return bool(found) and int(found.group(1)) == len(self.processes)

    def wait_ready(self, seconds=120):
        self.wait("Kafka to answer", self.ready, seconds)

    @staticmethod
    def wait(what, condition, seconds):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s for {what}")
            time.sleep(0.1)


def serve_commands(kafka, listener):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            words = connection.makefile().readline().split()
            try:
                {"kill": kafka.kill, "start": kafka.start}[words[0]](int(words[1]))
                connection.sendall(b"done\n")
            except Exception as error:  # told to who asked
                connection.sendall(f"failed: {error}\n".encode())


def tell(port, command):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(command.encode() + b"\n")
        answer = connection.makefile().readline().strip()
    if answer != "done":
        sys.exit(answer or "no answer")


def main():
    if sys.argv[1:2] == ["tell"]:
        return tell(int(sys.argv[2]), sys.argv[3])
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--partitions", type=int, default=1)
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Kafka(wanted.nodes, wanted.partitions) as kafka:
        for name, value in kafka.environment().items():
            print(f'export {name}="{value}"')
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
