"""`stator bridge` between a real site and a real Kafka of three nodes: what is acknowledged arrives.

Everyday: a few rounds of each. STATOR_LONG=1: 50 rounds of kill -9 of the bridge, 50 of a node of
Kafka, and Kafka away for ten minutes at 2,000 messages a second.
"""
import json
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

from kafka_arrivals import Arrivals
from kafka_broker import PASSWORD, USER, Kafka, free_ports, missing
from mqtt_load import ALARM, TELEMETRY, Load
from stator_site import LONG, STATOR, Site, wait_until

IN_KAFKA = "readings-of-line-2"
BRIDGE_ID = "bridge-of-line-2"
TOPICS = {TELEMETRY: IN_KAFKA, ALARM: ALARM, "stator/devices/ID/event": "stator.devices.event"}
CONTROL = "control-message"
ALERT = "motor-failure-alert-level2-inference"
CATCH_UP_S = 600 if LONG else 60


def count(short, long):
    return long if LONG else short


class Way(threading.Thread):
    """A port that leads to another one, and counts who comes by."""

    def __init__(self, port, to):
        super().__init__(daemon=True)
        self.to, self.came = to, 0
        self.listener = socket.create_server(("127.0.0.1", port))
        self.start()

    def run(self):
        while True:
            peer, _ = self.listener.accept()
            self.came += 1
            try:
                other = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                peer.close()
                continue
            for ends in ((peer, other), (other, peer)):
                threading.Thread(target=self.carry, args=ends, daemon=True).start()

    @staticmethod
    def carry(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            sink.close()


class BridgedSite(Site):
    """A site with a bridge: `stator up`, without a motor of its own."""

    def __init__(self, kafka):
        state = tempfile.mkdtemp(prefix="stator-test-")
        subprocess.run([STATOR, "init", "--state", state], check=True, capture_output=True)
        password = os.path.join(state, "kafka.password")
        with open(password, "w") as file:
            file.write(PASSWORD + "\n")
        os.chmod(password, 0o600)
        mqtts, by_way_of = free_ports(2)
        self.way = Way(by_way_of, mqtts)
        environment = {
            # As the reference's container of the bridge is told.
            "MQTT-BROKER": f"tcp://127.0.0.1:{by_way_of}",
            "MQTT-ID": BRIDGE_ID,
            "MQTT-TOPIC": TELEMETRY,
            "KAFKA-TOPIC": IN_KAFKA,
            "KAFKA-BROKER": kafka.secure_bootstrap,
            "STATOR_PORTS_MQTTS": str(mqtts),
            "STATOR_KAFKA_SECURITY": "sasl_ssl",
            "STATOR_KAFKA_USERNAME": USER,
            "STATOR_KAFKA_PASSWORD_FILE": password,
            "STATOR_KAFKA_CA": str(kafka.ca),
            # What arrives is no measurement: nothing shall be learnt from it.
            "MAX_ROWS": "4000000000",
        }
        super().__init__(state=state, environment=environment, command="up")
        self.own_state = True

    def bridge(self):
        """The bridge's process id; None while there is none."""
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"/stator") and words[1:2] == [b"bridge"]:
                return pid
        return None

    def ops(self, path):
        """(status, text) of the bridge's own page; None while nobody answers."""
        url = f"http://127.0.0.1:{self.ports()['ops_bridge']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None

    def metric(self, name, label=""):
        """None while there is none."""
        answer = self.ops("/metrics")
        if not answer:
            return None
        pattern = rf"^{name}(?:\{{[^}}]*{re.escape(label)}[^}}]*\}})? (\S+)$"
        found = re.search(pattern, answer[1], re.MULTILINE)
        return float(found.group(1)) if found else None

    def last_words(self):
        journal = self.state / "journal/bridge.log"
        return journal.read_text(errors="replace")[-3000:] if journal.is_file() else "no journal"


@unittest.skipIf(missing(), missing())
class Bridge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kafka = Kafka(nodes=3, partitions=3)
        cls.addClassCleanup(cls.kafka.stop)
        cls.site = BridgedSite(cls.kafka)
        cls.addClassCleanup(cls.site.__exit__)
        wait_until("the bridge", lambda: cls.site.ops("/healthz"), 60)

    # What the tests do.
    def loaded(self, name, rate, devices=4):
        load = Load(self.site, [f"{name}-{i}" for i in range(devices)], rate)
        load.start()
        self.addCleanup(load.stopping.set)
        return load

    def wait_arrived(self, load, arrivals, seconds=CATCH_UP_S):
        """Until Kafka has all that is acknowledged now."""
        load.check()
        wanted = dict(load.acknowledged)
        end = time.monotonic() + seconds
        while arrivals.read().missing(wanted):
            if time.monotonic() > end:
                self.fail(
                    f"{arrivals.missing(wanted)} of {sum(wanted.values())} are not in Kafka after "
                    f"{seconds} s; the bridge's last words:\n{self.site.last_words()}"
                )
            time.sleep(0.2)

    def judge(self, load, arrivals, **more):
        """Ends the load; then everything it sent is in Kafka, whole, in order, as a newcomer reads."""
        load.stop()
        self.wait_arrived(load, arrivals)
        for topic in TOPICS.values():
            self.kafka.wait_in_sync(topic, 300)
        seen = Arrivals(self.kafka, load, TOPICS).read()
        figures = {**seen.verdict(), "messages a second": round(load.total() / load.seconds), **more}
        print(f"{self.id().rsplit('.', 1)[1]}: {json.dumps(figures)}", flush=True)
        self.assertGreater(figures["sent"], 0)
        self.assertEqual(figures["missing"], 0)
        self.assertEqual(seen.strange[:3], [])
        self.assertEqual(figures["out of order"], 0)
        return figures

    def tell_round(self, done, arrivals):
        if LONG and done:
            print(f"after {done} rounds: {arrivals.seen()} seen, {arrivals.twice()} twice", flush=True)

    def kill_bridge(self):
        pid = wait_until("a bridge to kill", self.site.bridge)
        os.kill(pid, signal.SIGKILL)
        return pid

    # What holds.
    def test_what_is_acknowledged_arrives_though_the_bridge_is_killed(self):
        load = self.loaded("bridge-killed", rate=500)
        arrivals = Arrivals(self.kafka, load, TOPICS)
        self.wait_arrived(load, arrivals)
        chance = random.Random(7)
        rounds = count(3, 50)
        for n in range(rounds):
            self.tell_round(n, arrivals)
            self.kill_bridge()
            self.wait_arrived(load, arrivals)  # by its successor
            time.sleep(chance.random() * 0.5)  # at another moment of its work each time
        self.judge(load, arrivals, rounds=rounds)

    def test_what_is_acknowledged_arrives_though_a_node_of_kafka_is_killed(self):
        load = self.loaded("node-killed", rate=500)
        arrivals = Arrivals(self.kafka, load, TOPICS)
        self.wait_arrived(load, arrivals)
        chance = random.Random(11)
        rounds = count(1, 50)
        pid = self.site.bridge()
        for n in range(rounds):
            self.tell_round(n, arrivals)
            for topic in TOPICS.values():
                self.kafka.wait_in_sync(topic, 300)
            node = self.kafka.nodes[n % 3]
            time.sleep(chance.random() * 0.5)
            self.kafka.kill(node)
            self.wait_arrived(load, arrivals)  # by way of the other two
            self.kafka.launch(node)
        self.assertEqual(self.site.bridge(), pid, "the bridge did not live through it")
        self.judge(load, arrivals, rounds=rounds)

    def test_kafka_may_be_away_and_how_long_is_told(self):
        load = self.loaded("kafka-away", rate=count(400, 2000))
        arrivals = Arrivals(self.kafka, load, TOPICS)
        wait_until("telemetry in Kafka", lambda: arrivals.read().seen() > 1000, 120)
        pid = self.site.bridge()
        for node in self.kafka.nodes:
            self.kafka.kill(node)
        began = time.monotonic()
        told = self.what_it_tells_of_an_absence()
        behind = self.lag_bytes()
        wait_until("the backlog to grow", lambda: self.lag_bytes() > behind, 60)
        while time.monotonic() < began + count(0, 600):
            load.check()
            time.sleep(1)
        away = time.monotonic() - began
        backlog = load.total_acknowledged() - arrivals.seen()
        for node in self.kafka.nodes:
            self.kafka.launch(node)
        self.kafka.wait_ready()
        back = time.monotonic()
        self.wait_arrived(load, arrivals)
        caught_up = time.monotonic() - back
        wait_until(
            "the bridge to see Kafka",
            lambda: self.site.metric("stator_bridge_kafka_connected") == 1,
            60,
        )
        self.assertEqual(self.site.bridge(), pid, "the bridge did not live through it")
        self.judge(
            load, arrivals, away_s=round(away), backlog=backlog, caught_up_s=round(caught_up, 1)
        )
        connected, days, status, health = told
        self.assertEqual(connected, 0)
        self.assertGreater(days, 0)
        self.assertRegex(status, r"Kafka is away.*[\d.]+ (days|hours) at this rate")
        self.assertEqual(health, 200)  # a bridge without Kafka is well

    def lag_bytes(self):
        return self.site.metric("stator_bridge_lag_bytes", 'class="telemetry"') or 0

    def what_it_tells_of_an_absence(self):
        """(connected, days of autonomy, /status, /healthz), as soon as it misses Kafka."""
        end = time.monotonic() + 60
        while True:
            connected = self.site.metric("stator_bridge_kafka_connected")
            days = self.site.metric("stator_bridge_autonomy_days", 'class="telemetry"')
            status, health = self.site.ops("/status"), self.site.ops("/healthz")
            if (connected == 0 and days and status and health) or time.monotonic() > end:
                return connected, days, status and status[1], health and health[0]
            time.sleep(0.2)

    def control_log(self, wanted, name="control"):
        lines = self.site.stator("log", "tail", "--class", name, "--all").stdout.splitlines()
        return [line for line in lines if wanted in line]

    def publish(self, topic, message):
        """By a service of this site."""
        pki = self.site.state / "pki"
        subprocess.run(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.site.ports()["mqtts"]), "-V", "5",
             "--cafile", pki / "ca.pem", "--cert", pki / "rollout.pem", "--key", pki / "rollout.key",
             "-i", "rollout", "-q", "1", "-t", topic, "-m", message],
            check=True, timeout=30,
        )  # fmt: skip

    def in_kafka(self, topic, wanted):
        said = self.kafka.kcat("-C", "-q", "-e", "-t", topic, "-o", "beginning", "-J").decode()
        return [json.loads(line) for line in said.splitlines() if wanted in line]

    def test_control_comes_down_under_the_bridges_name_and_never_goes_up_again(self):
        down = '{"command":"train-model","payload":"came-down.csv"}'
        self.kafka.kcat("-P", "-t", CONTROL, "-k", "someone", input=down.encode())
        wait_until("the control message on MQTT", lambda: self.control_log("came-down.csv"), 30)
        # Up, after it and in the same class of the log: when this is there, that would be, too.
        up = '{"command":"train-model","payload":"went-up.csv"}'
        self.publish(CONTROL, up)
        (record,) = wait_until("the site's own one", lambda: self.in_kafka(CONTROL, "went-up.csv"))
        headers = dict(zip(record["headers"][::2], record["headers"][1::2]))
        self.assertEqual(headers["stator-sender"], "rollout")
        self.assertEqual(headers["stator-topic"], CONTROL)
        self.assertEqual(headers["stator-site"], "site")
        self.assertEqual(record["payload"], up)
        # Once more around would be: down again what went up, up again what came down.
        again = '{"command":"train-model","payload":"came-later.csv"}'
        self.kafka.kcat("-P", "-t", CONTROL, "-k", "rollout", input=again.encode())
        wait_until("the later one on MQTT", lambda: self.control_log("came-later.csv"), 30)
        self.assertEqual(len(self.in_kafka(CONTROL, "came-down.csv")), 1)
        (line,) = self.control_log("came-down.csv")
        self.assertEqual(line.split()[2], BRIDGE_ID)
        self.assertGreater(self.site.way.came, 0)
        self.assertEqual(len(self.control_log("went-up.csv")), 1)

    def test_another_sites_alert_comes_down_and_never_goes_up_again(self):
        alert = {"deviceID": "theirs-1", "timeStamp": "1700000000000", "inference": 0.9,
                 "severity": "imminent", "model": "", "alarm": True}  # fmt: skip
        text = json.dumps(alert)
        self.kafka.kcat("-P", "-t", ALERT, "-k", "theirs-1", "-H", "stator-site=elsewhere", input=text.encode())
        (line,) = wait_until("the alert on MQTT", lambda: self.control_log("theirs-1", "alarm"), 30)
        self.assertEqual(line.split()[2:4], [BRIDGE_ID, ALERT])
        heard = json.loads(line[line.find("{"):])
        self.assertEqual({key: heard.get(key) for key in alert}, alert)  # the gate numbers what has no number
        # After it and in the same class of the log: when this is up, that would be, too.
        self.publish(ALERT, text.replace("theirs-1", "ours-1"))
        wait_until("the site's own one", lambda: self.in_kafka(ALERT, "ours-1"))
        self.assertEqual(len(self.in_kafka(ALERT, "theirs-1")), 1)
        self.assertEqual(len(self.control_log("ours-1", "alarm")), 1)

    def test_a_stranger_is_told_how_it_is(self):
        self.assertEqual(self.site.ops("/healthz")[0], 200)
        for name in ("forwarded_records_total", "lag_bytes", "in_flight_records"):
            self.assertIsNotNone(self.site.metric(f"stator_bridge_{name}", 'class="telemetry"'))
        said = subprocess.run(
            [STATOR, "bridge", "--help"], capture_output=True, text=True, timeout=20
        )
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("Kafka", said.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
