"""MQTT to Kafka with QoS 1 and acks=all: the gate, the log and `stator bridge` beside Mosquitto and Telegraf.

Both ways end in one topic of one partition of the same one-node Kafka; the same devices send the
same readings to the same Mosquitto program in plaintext. Ours acknowledges when the log has it;
Telegraf's broker when it has queued it for Telegraf. Interleaved, in turns.
Rate: from the first message until Kafka has appended the last, by Kafka's own clock. CPU: of the
bridge's process alone; what the broker, Kafka and the load take of the same cores stands beside it,
for it bounds the rate. Latency: 200 messages a second, from before the send until kcat has printed
it. Before what counts each way runs once, for Kafka's compiler.
"""
import collections
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))
from broker import Brokers, cpu_s, spread  # noqa: E402
from gate_site import GateSite  # noqa: E402
from kafka_broker import Kafka, free_ports  # noqa: E402
from stator_site import STATOR, wait_until  # noqa: E402

TELEGRAF = pathlib.Path(os.environ.get("STATOR_TELEGRAF", ROOT / "build/telegraf/telegraf"))
# Only the plugins that are used: the whole of it is ten times as large.
TELEGRAF_TAGS = "custom,inputs.mqtt_consumer,outputs.kafka,parsers.value,serializers.template"
TELEGRAF_VERSION = "github.com/influxdata/telegraf/cmd/telegraf@v1.34.4"
TELEGRAF_CONF = """
[agent]
interval = "1s"
flush_interval = "100ms"
metric_batch_size = 1000
metric_buffer_limit = 100000
omit_hostname = true
[[inputs.mqtt_consumer]]
servers = ["tcp://127.0.0.1:{mqtt}"]
topics = ["{topic}"]
qos = 1
client_id = "bare-telegraf"
persistent_session = true
max_undelivered_messages = 20000
data_format = "value"
data_type = "string"
topic_tag = ""
[[outputs.kafka]]
brokers = ["{kafka}"]
topic = "{topic}"
required_acks = -1
idempotent_writes = true
compression_codec = 3
max_retry = 10
data_format = "template"
template = '{{{{ .Field "value" }}}}'
"""
MQTT_TOPIC = "shaded-pole-motor-sensor_data"
LATENCY_RATE = 200
LATENCY_COUNT = 1000
GOALS = {"rate": 1.5, "cpu": 0.5, "p50": 0.1, "rss_mb": 32}


def build_telegraf():
    if TELEGRAF.is_file():
        return
    if not shutil.which("go"):
        sys.exit(f"bench/run kafka: there is no `go` to build the peer, Telegraf, with, and no {TELEGRAF}"
                 " (or STATOR_TELEGRAF=path)")
    print("building Telegraf, the peer, with four plugins (some minutes)", flush=True)
    environment = {**os.environ, "GOBIN": str(TELEGRAF.parent)}
    subprocess.run(
        ["go", "install", "-p", "2", "-tags", TELEGRAF_TAGS, TELEGRAF_VERSION],
        cwd=tempfile.gettempdir(), env=environment, check=True,
    )  # fmt: skip


def peak_rss_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def queue_without_bound(conf):
    """Else the broker drops, for the slower Telegraf, messages that it has acknowledged."""
    text, count = re.subn(r"max_queued_messages .*", "max_queued_messages 0\nmax_inflight_messages 0", conf.read_text())
    assert count == 1
    conf.write_text(text)


class Ways:
    """The two ways into Kafka; `started(name)` is a process of each, with its broker."""

    def __init__(self, site, kafka, brokers, folder):
        self.site = site
        self.kafka = kafka
        self.brokers = brokers
        self.folder = folder
        conf = folder / "telegraf.conf"
        conf.write_text(TELEGRAF_CONF.format(
            mqtt=brokers.ports["plain"], kafka=kafka.bootstrap, topic=MQTT_TOPIC))  # fmt: skip
        self.commands = {
            "stator": [STATOR, "bridge", "--state", site.state],
            "telegraf": [TELEGRAF, "--config", conf],
        }

    def bridge(self, name):
        words = open(self.folder / f"{name}.out", "ab")
        with words:
            return subprocess.Popen(
                [*map(str, self.commands[name])], stdout=words, stderr=words,
                env=self.site.environment,
            )  # fmt: skip

    def stored(self):
        """How many records the topic has."""
        answer = self.kafka.kcat("-Q", "-t", f"{MQTT_TOPIC}:0:-1", check=False).decode()
        return int(answer.rsplit("offset", 1)[1]) if "offset" in answer else 0

    def appended_last_s(self):
        """When Kafka appended the topic's last record."""
        return int(self.kafka.kcat("-C", "-q", "-t", MQTT_TOPIC, "-p", "0", "-o", "-1", "-c", "1", "-f", "%T")) / 1000

    def probe(self, name, boot):
        """Sends until one message has come through: both ends are connected then."""
        before = self.stored()
        self.publish([f'{{"deviceID":"bare-1","boot":{boot},"seq":1,"timeStamp":"1"}}'])
        return before

    def publish(self, lines):
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.brokers.ports["plain"]), "-i",
             "bare-1", "-q", "1", "-t", MQTT_TOPIC, "-l"],
            input="\n".join(lines) + "\n", text=True, check=True, timeout=60,
        )  # fmt: skip

    def run(self, name, work, boot):
        """`work(bridge, broker)` with those of that way, when a message has gone all the way."""
        with self.brokers.started({"stator": "gate", "telegraf": "vanilla"}[name], "plain") as broker:
            bridge = self.bridge(name)
            try:
                if name == "telegraf":  # what comes before it subscribes the first time goes nowhere
                    wait_until("Telegraf to run", lambda: cpu_s(bridge.pid) > 0.05, 30)
                    time.sleep(2)
                before = self.probe(name, boot)
                wait_until(f"a message through {name}", lambda: self.stored() > before, 60)
                self.settle()
                return work(bridge, broker)
            finally:
                bridge.send_signal(signal.SIGTERM)
                bridge.wait(30)

    def settle(self):
        count = self.stored()
        while (now := self.stored()) != count:
            count = now


def measure_rate(ways, name, clients, seconds, boot):
    def work(bridge, broker):
        pids = {
            "cpu_us": bridge.pid, "broker_cpu_us": broker.pid,
            "kafka_cpu_us": ways.kafka.processes[1].pid,
        }  # fmt: skip
        before, cpu = ways.stored(), {key: cpu_s(pid) for key, pid in pids.items()}
        waited = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.time()
        load = ways.brokers.load("plain", clients, seconds, boot)
        loading = resource.getrusage(resource.RUSAGE_CHILDREN)
        load_s = loading.ru_utime + loading.ru_stime - waited.ru_utime - waited.ru_stime
        end = time.monotonic() + 300
        while ways.stored() - before < load["acknowledged"]:
            if time.monotonic() > end:
                raise RuntimeError(f"{name}: {ways.stored() - before} of {load['acknowledged']} came through")
            time.sleep(0.5)  # asking takes the cores from who is asked
        took = ways.appended_last_s() - begun
        return {
            "acknowledged": load["acknowledged"], "rate": load["acknowledged"] / took,
            "load_cpu_us": load_s * 1e6 / load["acknowledged"], "rss_mb": peak_rss_mb(bridge.pid),
            **{key: (cpu_s(pid) - cpu[key]) * 1e6 / load["acknowledged"] for key, pid in pids.items()},
        }  # fmt: skip

    return ways.run(name, work, boot)


def measure_latency(ways, name, boot):
    def work(bridge, _broker):
        reader = subprocess.Popen(
            ["kcat", "-b", ways.kafka.bootstrap, "-C", "-q", "-u", "-t", MQTT_TOPIC, "-p", "0",
             "-o", str(ways.stored()), "-f", "%s\\n"], stdout=subprocess.PIPE,
        )  # fmt: skip
        took_ms = {}

        def read():
            for line in reader.stdout:
                now = time.monotonic_ns()
                message = json.loads(line)
                if message.get("boot") == boot and "sent" in message:
                    took_ms.setdefault(message["seq"], (now - int(message["sent"])) / 1e6)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        publisher = subprocess.Popen(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(ways.brokers.ports["plain"]), "-i",
             "bare-1", "-q", "1", "-t", MQTT_TOPIC, "-l"], stdin=subprocess.PIPE,
        )  # fmt: skip
        try:
            time.sleep(1)  # the reader has its place
            begun = time.monotonic()
            for seq in range(2, LATENCY_COUNT + 2):
                time.sleep(max(0.0, begun + (seq - 2) / LATENCY_RATE - time.monotonic()))
                line = (
                    f'{{"deviceID":"bare-1","boot":{boot},"seq":{seq},"timeStamp":"1",'
                    f'"current":0.61,"temperature":41.2,"sent":"{time.monotonic_ns()}"}}\n'
                )
                publisher.stdin.write(line.encode())
                publisher.stdin.flush()
            publisher.stdin.close()
            publisher.wait(60)
            wait_until("the last message", lambda: len(took_ms) >= LATENCY_COUNT, 60)
        finally:
            for process in (publisher, reader):
                if process.poll() is None:
                    process.kill()
            reader.wait()
            thread.join(10)
        times = sorted(took_ms.values())
        return {"p50_ms": statistics.median(times), "p99_ms": times[int(len(times) * 0.99)]}

    return ways.run(name, work, boot)


def measure(repetitions, seconds):
    runs = collections.defaultdict(list)
    ops_port, *ports = free_ports(3)
    by_its_own_clock = {"log.message.timestamp.type": "LogAppendTime"}
    with (
        tempfile.TemporaryDirectory(prefix="stator-bench-") as folder,
        Kafka(settings=by_its_own_clock) as kafka,
    ):  # fmt: skip
        environment = {f"STATOR_PORTS_{k}": str(p) for k, p in zip(("MQTT", "MQTTS"), ports)}
        environment["STATOR_PORTS_OPS_BRIDGE"] = str(ops_port)
        environment["STATOR_KAFKA_BOOTSTRAP"] = kafka.bootstrap
        environment["STATOR_KAFKA_SECURITY"] = "plaintext"  # as Telegraf has it
        settings = {"log.telemetry_bytes": 4 << 30}
        with GateSite(environment=environment, settings=settings) as site:
            for number in range(1, 21):
                site.stator("device", "legacy", f"bare-{number}", "--bare")
            brokers = Brokers(site)
            queue_without_bound(brokers.confs["vanilla"])
            ways = Ways(site, kafka, brokers, pathlib.Path(folder))
            kafka.kcat("-P", "-t", MQTT_TOPIC, input=b"{}")
            boot = 0
            for name in ("telegraf", "stator"):
                boot += 1
                measure_rate(ways, name, 20, 1, boot)
            for repetition in range(repetitions):
                order = ("stator", "telegraf") if repetition % 2 == 0 else ("telegraf", "stator")
                for name in order:
                    boot += 1
                    run = measure_rate(ways, name, 20, seconds, boot)
                    boot += 1
                    run |= measure_latency(ways, name, boot)
                    runs[name].append(run)
                    print(f"[{repetition + 1}/{repetitions}] {name:8} {run['rate']:8.0f}/s"
                          f" {run['cpu_us']:6.1f} us p50 {run['p50_ms']:6.2f} ms"
                          f" p99 {run['p99_ms']:6.1f} ms {run['rss_mb']:5.1f} MB", flush=True)
    return runs


def show(runs):
    ratios = {
        key: spread([o[key] / t[key] for o, t in zip(runs["stator"], runs["telegraf"])])
        for key in ("rate", "cpu_us", "broker_cpu_us", "kafka_cpu_us", "load_cpu_us", "p50_ms", "p99_ms", "rss_mb")
    }
    print("\n| | stator | Telegraf | ratio (least to most) |\n" + "| --- " * 4 + "|")
    for key, ratio in ratios.items():
        ours, theirs = (statistics.median(r[key] for r in runs[n]) for n in ("stator", "telegraf"))
        print(f"| {key} | {ours:.1f} | {theirs:.1f} | {ratio['median']:.2f}"
              f" ({ratio['least']:.2f} to {ratio['most']:.2f}) |")
    print(f"goals: rate >= {GOALS['rate']}x, CPU <= {GOALS['cpu']}x, p50 <= {GOALS['p50']}x,"
          f" peak RSS <= {GOALS['rss_mb']} MB")
    return ratios


def main(repetitions=5, seconds=5):
    build_telegraf()
    begun, load_before = time.time(), os.getloadavg()[0]
    runs = measure(repetitions, seconds)
    return {"what": "kafka", "load_average": [load_before, os.getloadavg()[0]], "ratios": show(runs),
            "took_s": time.time() - begun, "runs": runs}
