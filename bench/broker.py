"""What the gate costs the broker: CPU a message beside the same Mosquitto without it, and the rates.

Vanilla is the same program under the same mosquitto.conf less the plugin: no persistence, the same
listeners and TLS. The gate checks rights and payload, appends, and gives marks that the devices
hear. Interleaved: each repetition runs every variant, in turns; each run has a broker of its own.
CPU is what the broker's process used (user and system, all its threads) from /proc, over
the messages acknowledged meanwhile; the ratio is taken within a repetition.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/system"))
from gate_site import GateSite  # noqa: E402
from kafka_broker import free_ports  # noqa: E402
from stator_site import wait_until  # noqa: E402

LOAD = ROOT / "build/release/bench/mqtt_load"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CLIENTS = (1, 20)
WINDOW = {1: 100, 20: 20}
TRANSPORTS = ("tls", "plain")
GOAL = {"tls": 1.15, "plain": 1.3}
PLUGIN_LINE = re.compile(r"^plugin.*\n", re.MULTILINE)


def cpu_s(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def listening(port):
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in pathlib.Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[1].endswith(":" + wanted):
                return True
    return False


class Brokers:
    def __init__(self, site):
        self.command = site.broker_alone()
        self.ports = {"tls": site.ports()["mqtts"], "plain": site.ports()["mqtt"]}
        conf = pathlib.Path(site.state / "conf/mosquitto.conf").read_text()
        # No device may be held back here; the check itself stays.
        gate = re.sub(r"(plugin_opt_rate_per_s) .*", r"\1 100000000", conf)
        vanilla = PLUGIN_LINE.sub("", conf).replace("allow_anonymous false", "allow_anonymous true")
        self.confs = {}
        for name, text in (("gate", gate), ("vanilla", vanilla)):
            self.confs[name] = site.state / f"conf/bench-{name}.conf"
            self.confs[name].write_text(text)
        self.words = site.state / "bench-broker.log"
        self.environment = site.environment

    @contextlib.contextmanager
    def started(self, variant, transport):
        """The broker's process, listening; ended at the end of the block."""
        original = next(word for word in self.command if word.endswith("conf/mosquitto.conf"))
        command = [str(self.confs[variant]) if w == original else w for w in self.command]
        port = self.ports[transport]
        with open(self.words, "ab") as words:
            broker = subprocess.Popen(command, stdout=words, stderr=words, env=self.environment)
        try:
            wait_until("the broker to listen", lambda: listening(port) or broker.poll() is not None, 30)
            yield broker
        finally:
            # Mosquitto forgets a SIGTERM that comes right after its start.
            while broker.poll() is None:
                broker.send_signal(signal.SIGTERM)
                try:
                    broker.wait(1)
                except subprocess.TimeoutExpired:
                    continue

    def load(self, transport, clients, seconds, boot, credentials=None):
        """What mqtt_load did: acknowledged, marks, seconds."""
        arguments = [self.ports[transport], clients, seconds, WINDOW[clients], boot, 0]
        if transport == "tls":
            arguments.append(credentials)
        load = subprocess.run(
            [LOAD, *map(str, arguments)], capture_output=True, text=True, timeout=seconds + 120
        )
        if load.returncode != 0:
            raise RuntimeError(f"{load.stderr}{self.words.read_text()[-1500:]}")
        return json.loads(load.stdout)

    def run(self, variant, transport, clients, seconds, boot, credentials):
        with self.started(variant, transport) as broker:
            before = cpu_s(broker.pid)
            result = self.load(transport, clients, seconds, boot, credentials)
            used = cpu_s(broker.pid) - before
        result["cpu_us"] = used * 1e6 / result["acknowledged"]
        result["rate"] = result["acknowledged"] / result["seconds"]
        return result


def spread(values):
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def measure(repetitions, seconds):
    runs = []
    with tempfile.TemporaryDirectory(prefix="stator-bench-") as folder:
        os.chmod(folder, 0o755)
        ports = free_ports(2)
        settings = {"log.telemetry_bytes": 4 << 30}
        environment = {f"STATOR_PORTS_{k}": str(p) for k, p in zip(("MQTT", "MQTTS"), ports)}
        with GateSite(environment=environment, settings=settings) as site:
            credentials = pathlib.Path(folder)
            for number in range(1, max(CLIENTS) + 1):
                ca, certificate, key = site.add(f"load-{number}")
                own = credentials / f"load-{number}"
                own.mkdir()
                (own / "certificate.pem").symlink_to(certificate)
                (own / "key.pem").symlink_to(key)
                site.stator("device", "legacy", f"bare-{number}", "--bare")
            (credentials / "ca.pem").symlink_to(ca)
            brokers = Brokers(site)
            cases = [(t, c) for t in TRANSPORTS for c in CLIENTS]
            total, boot = repetitions * len(cases) * 2, 0
            for repetition in range(repetitions):
                for transport, clients in cases:
                    order = ("vanilla", "gate") if repetition % 2 == 0 else ("gate", "vanilla")
                    for variant in order:
                        boot += 1
                        result = brokers.run(variant, transport, clients, seconds, boot, credentials)
                        runs.append({"repetition": repetition, "variant": variant,
                                     "transport": transport, "clients": clients, **result})
                        print(f"[{boot}/{total}] {transport} {clients:2} clients {variant:8}"
                              f" {result['cpu_us']:6.1f} us {result['rate']:8.0f}/s"
                              f" {result['marks']} marks", flush=True)
    return runs


def summary(runs):
    rows = []
    for transport in TRANSPORTS:
        for clients in CLIENTS:
            of = {v: [r for r in runs if (r["transport"], r["clients"], r["variant"]) == (transport, clients, v)]
                  for v in ("vanilla", "gate")}
            pairs = list(zip(of["vanilla"], of["gate"]))
            rows.append({
                "transport": transport, "clients": clients, "goal": GOAL[transport],
                "cpu_ratio": spread([g["cpu_us"] / v["cpu_us"] for v, g in pairs]),
                "rate_ratio": spread([g["rate"] / v["rate"] for v, g in pairs]),
                **{f"{name}_{key}": spread([r[key] for r in of[name]])
                   for name in of for key in ("cpu_us", "rate")},
                "gate_marks": sum(r["marks"] for r in of["gate"]),
            })
    return rows


def show(rows):
    print("\n| transport | clients | CPU vanilla, us | CPU gate, us | ratio (least to most) | goal |"
          " rate vanilla | rate gate | rate ratio |\n" + "| --- " * 9 + "|")
    for row in rows:
        ratio = row["cpu_ratio"]
        print(f"| {row['transport']} | {row['clients']} | {row['vanilla_cpu_us']['median']:.1f}"
              f" | {row['gate_cpu_us']['median']:.1f} | {ratio['median']:.2f}"
              f" ({ratio['least']:.2f} to {ratio['most']:.2f}) | {row['goal']}"
              f" | {row['vanilla_rate']['median']:.0f}/s | {row['gate_rate']['median']:.0f}/s"
              f" | {row['rate_ratio']['median']:.2f} |")


def main(repetitions=5, seconds=3):
    begun, load_before = time.time(), os.getloadavg()[0]
    runs = measure(repetitions, seconds)
    rows = summary(runs)
    show(rows)
    return {"what": "broker", "cores": os.cpu_count(), "load_average": [load_before, os.getloadavg()[0]],
            "took_s": time.time() - begun, "repetitions": repetitions, "seconds": seconds,
            "summary": rows, "runs": runs}
