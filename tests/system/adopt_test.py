"""Sites that keep their broker: a plain Mosquitto, a real Kafka and, in ./test --long, a real HiveMQ of
somebody else are read into the log through a map, and neither a kill nor a lie of theirs does harm."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

import foreign_broker
import kafka_broker
from stator_site import LONG, STATOR, Site, wait_until

OWN = "own-pump"  # enrolled at our site
ROWS = 240

MAP = """
[broker.hall]
url = "mqtts://localhost:{secure}"
ca_file = "{ca}"
username = "{user}"
password_file = "{password_file}"
in_flight_max = 200

[broker.shed]
url = "mqtt://127.0.0.1:{plain}"
protocol_version = 4

[[source]]
broker = "hall"
topic = "plant/{{line}}/{{pump}}/state"
device = "{{line}}-{{pump}}"
time = "$.ts"
time_unit = "iso8601"
  [[source.channel]]
  name = "temperature"
  path = "$.motor.temp"
  unit = "degF"
  [[source.channel]]
  name = "vibration"
  path = "$.acc[0]"
  unit = "m/s2"
  [[source.channel]]
  name = "current"
  path = "$.i"
  unit = "mA"

[[source]]
broker = "hall"
topic = "plant/score/{{device}}"
device = "{{device}}"
inference = "$"
threshold = 0.7

[[source]]
broker = "shed"
topic = "shed/{{pump}}/#"
device = "{{pump}}"
  [[source.channel]]
  name = "current"
  path = "$"
  unit = "A"
"""

KAFKA_MAP = """
[broker.lake]
url = "{url}"
{credentials}

[[source]]
broker = "lake"
topic = "pumps"
device = "{{key}}"
time = "$.t"
time_unit = "s"
  [[source.channel]]
  name = "current"
  path = "$.amps"
  unit = "A"
"""


def map_of(foreign):
    return MAP.format(
        plain=foreign.plain,
        secure=foreign.secure,
        ca=foreign.directory / "ca.pem",
        user=foreign_broker.USER,
        password_file=foreign.directory / "hall.password",
    )


class KeptSite(Site):
    """`stator init` and `stator up`, with a map of the brokers that the site keeps."""

    def __init__(self, text):
        self.own_state = True
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="stator-test-"))
        self.output = self.state.parent / (self.state.name + ".out")
        self.stator("init")
        (self.state / "map.toml").write_text(text)
        self.start()

    def start(self):
        """Also after a stop, on what it has kept."""
        with open(self.output, "ab") as out:
            self.process = subprocess.Popen(
                [STATOR, "up", "--state", self.state],
                stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={
                    **os.environ,
                    "STATOR_ADOPT_MAP": str(self.state / "map.toml"),
                    "MAX_ROWS": str(ROWS),
                },
                start_new_session=True,
            )  # fmt: skip
        try:
            wait_until("the adopting process", self.adopters)
        except BaseException:
            self.kill_everything()
            raise

    def adopters(self):
        found = []
        for pid in self.pids():
            try:
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[1:2] == [b"adopt"]:
                found.append(pid)
        return found

    def __exit__(self, *_):
        super().__exit__()
        self.output.unlink(missing_ok=True)

    def link(self):
        return wait_until(
            "the page's link", lambda: self.stator("console", "link", check=False).stdout.strip()
        )

    def records(self, log_class, topic=None):
        """(identity, sender, topic, payload) of all."""
        lines = self.stator("log", "tail", "--class", log_class, "--all").stdout.splitlines()
        made = [line.split(" ", 4)[1:] for line in lines]
        return [it for it in made if topic is None or it[2] == topic]

    def readings(self, device):
        made = []
        for identity, sender, _, payload in self.records(
            "telemetry", "shaded-pole-motor-sensor_data"
        ):
            message = json.loads(payload)
            if message["deviceID"].startswith(device):
                self.check(identity, sender, message)
                made.append(message)
        return made

    def adopted(self, figure, broker):
        """A figure of the running adopting process; 0 while none answers."""
        url = f"http://127.0.0.1:{self.ports()['ops_adopt']}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return 0
        found = re.search(rf'(?m)^stator_adopt_{figure}{{broker="{broker}"}} (\d+)', text)
        return int(found[1]) if found else 0

    @staticmethod
    def check(identity, sender, message):
        if (identity, sender) != ("vouched", "adopt"):
            raise AssertionError(f"{message} is {identity} by {sender}")

    def journal(self):
        return (self.state / "journal/adopt.log").read_text(errors="replace")

    def csv_rows(self, device):
        rows = []
        status, _, listing = self.https(
            "datasets", "/", headers={"Accept": "application/json"}, identity="console"
        )
        if status != 200:
            return []
        for entry in json.loads(listing):
            name = entry if isinstance(entry, str) else entry["name"]
            lines = self.https("datasets", "/" + name)[2].decode().splitlines()
            columns = lines[0].split(",")
            for line in lines[1:]:
                row = dict(zip(columns, line.split(",")))
                if row["deviceID"] == device:
                    rows.append(row)
        return rows


def state(number):
    return json.dumps(
        {
            "ts": f"2026-11-23T06:{number // 60000 % 60:02d}:{number // 1000 % 60:02d}"
            f".{number % 1000:03d}+01:00",
            "motor": {"temp": "212"},
            "acc": [19.6133, 0],
            "i": number,
        }
    )


def numbers_of(messages, value):
    """How often each value is there; fails where one value has two numbers, or two values one."""
    by_value, by_number, count = {}, {}, {}
    for it in messages:
        key = value(it)
        number = (it["deviceID"], it["boot"], it["seq"])
        if by_value.setdefault(key, number) != number or by_number.setdefault(number, key) != key:
            raise AssertionError(f"{key} is {number} and {by_value[key]}, {by_number[number]}")
        count[key] = count.get(key, 0) + 1
    return count


class KeptMosquitto(unittest.TestCase):
    make_broker = foreign_broker.Mosquitto

    @classmethod
    def setUpClass(cls):
        cls.foreign = cls.make_broker()
        cls.addClassCleanup(cls.foreign.stop)
        cls.site = KeptSite(map_of(cls.foreign))
        cls.addClassCleanup(cls.site.__exit__)
        cls.site.stator("device", "add", OWN)
        # Until both sessions stand: a broker keeps nothing for who never came.
        wait_until("both of somebody else's listeners to be read", cls.heard, 30)

    @classmethod
    def heard(cls):
        cls.foreign.publish("plant/l0/first/state", state(1))
        cls.foreign.publish("shed/first/a", "1", port=cls.foreign.plain)
        return cls.site.readings("l0-first") and cls.site.readings("first")

    def receiving(self, but):
        """The adopting process, when it is another than `but` and has taken something."""
        now = [pid for pid in self.site.adopters() if pid != but]
        return now[0] if now and self.site.adopted("received_total", "hall") > 0 else None

    def test_foreign_json_arrives_in_our_units_in_log_and_raw_csv(self):
        self.foreign.publish("plant/l1/p7/state", *(state(600 + i) for i in range(ROWS)))
        messages = wait_until(
            "the readings",
            lambda: (all_ := self.site.readings("l1-p7")) and len(all_) >= ROWS and all_,
        )
        first = min(messages, key=lambda it: int(it["timeStamp"]))
        self.assertEqual(first["timeStamp"], "1795410000600")  # 06:00:00.6 an hour east
        self.assertAlmostEqual(first["temperature"], 100.0, 4)
        self.assertAlmostEqual(first["vibration"], 2.0, 5)
        self.assertAlmostEqual(first["current"], 0.6, 6)
        self.assertEqual(len(numbers_of(messages, lambda it: it["timeStamp"])), ROWS)
        rows = wait_until("the raw CSV", lambda: self.site.csv_rows("l1-p7"), 60)
        self.assertAlmostEqual(float(rows[0]["temperature"]), 100.0, 4)
        self.assertAlmostEqual(float(rows[0]["vibration"]), 2.0, 5)
        self.assertEqual(rows[0]["sound"], "")

    def test_a_bare_number_of_an_old_broker_is_a_reading_too(self):
        self.foreign.publish("shed/s3/current/rms", "1.25", port=self.foreign.plain)
        message = wait_until("the reading", lambda: self.site.readings("s3"))[0]
        self.assertEqual(message["current"], 1.25)

    def test_the_adopting_process_tells_its_health_and_its_figures(self):
        port = self.site.ports()["ops_adopt"]
        for path, pattern in (("/healthz", "ok"), ("/metrics", "stator_")):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                self.assertIn(pattern, answer.read().decode())
        self.assertRegex(self.site.stator("status", check=False).stdout, rf"(?m)^adopt +{port}  well$")

    def test_kill_9_of_the_adopting_process_loses_nothing_that_was_acknowledged(self):
        kills = 20 if LONG else 3
        per_kill = 400
        total = kills * per_kill
        publisher = self.foreign.publisher("plant/l1/killed/state")
        victim = None
        for kill in range(kills):
            for number in range(kill * per_kill, (kill + 1) * per_kill):
                publisher.stdin.write(state(number) + "\n")
            publisher.stdin.flush()
            # At once when the new one receives: with messages stored that it has not acknowledged.
            victim = wait_until(
                "the adopting process to receive", lambda: self.receiving(but=victim), 60, 0.002
            )
            os.kill(victim, signal.SIGKILL)
        _, errors = publisher.communicate(timeout=300)
        self.assertEqual(publisher.returncode, 0, errors)

        def there():
            counts = numbers_of(self.site.readings("l1-killed"), lambda it: it["timeStamp"])
            return counts if len(counts) >= total else None

        began = time.monotonic()
        try:
            counts = wait_until("every acknowledged message", there, 120)
        except AssertionError:
            counts = numbers_of(self.site.readings("l1-killed"), lambda it: it["timeStamp"])
        print(
            f"adopt: {self.foreign.name}: {kills} kills, {total} acknowledged, "
            f"{total - len(counts)} missing, "
            f"{sum(counts.values()) - len(counts)} twice, all under equal numbers "
            f"({time.monotonic() - began:.1f} s to catch up)"
        )
        self.assertEqual(len(counts), total)

    @unittest.skipUnless(LONG, "in ./test --long only")
    def test_what_comes_while_the_site_is_gone_waits_in_its_session(self):
        total = 2000
        # Some are stored and not acknowledged, or on their way, when everything of ours is killed.
        publisher = self.foreign.publisher("plant/l1/away/state")
        publisher.stdin.write("".join(state(i) + "\n" for i in range(total // 2)))
        publisher.stdin.flush()
        victim = wait_until("the adopting process", self.site.adopters)[0]
        os.kill(victim, signal.SIGKILL)
        victim = wait_until(
            "the adopting process to receive", lambda: self.receiving(but=victim), 60, 0.002
        )
        os.kill(victim, signal.SIGKILL)
        self.site.kill_everything()
        try:
            _, errors = publisher.communicate(
                "".join(state(i) + "\n" for i in range(total // 2, total)), timeout=300
            )
            self.assertEqual(publisher.returncode, 0, errors)
            self.foreign.publish("shed/away/x", "1.5", port=self.foreign.plain)
            self.foreign.restart()
        finally:
            self.site.start()

        def there():
            counts = numbers_of(self.site.readings("l1-away"), lambda it: it["timeStamp"])
            return counts if len(counts) >= total else None

        counts = wait_until("every message of the session", there, 120)
        self.assertEqual(len(counts), total)
        print(
            f"adopt: {self.foreign.name}: everything of ours killed, and the broker "
            f"{self.foreign.ended}: {total} acknowledged, 0 missing, "
            f"{sum(counts.values()) - total} twice, all under equal numbers"
        )
        old = wait_until("the message of the old broker", lambda: self.site.readings("away"))
        self.assertEqual({it["current"] for it in old}, {1.5})

    def test_a_foreign_alarm_is_judged_but_moves_nothing(self):
        before = len(self.site.records("control"))
        self.foreign.publish("plant/score/l1-p9", "0.95")
        # Whoever is enrolled here speaks for itself: this is refused, and told.
        self.foreign.publish(f"plant/score/{OWN}", "0.99")
        self.foreign.publish(f"shed/{OWN}/x", "1", port=self.foreign.plain)

        def episode():
            view = self.site.overview()
            return view and [it for it in view["episodes"] if it["device"] == "l1-p9"]

        self.assertEqual(wait_until("the alarm", episode)[0]["level"], 1)
        wait_until("the refusal in the journal", lambda: "refuses a reading" in self.site.journal())
        level1 = self.site.records("alarm", "motor-anomaly-level1-inference")
        self.assertEqual([it[0] for it in level1], ["vouched"])
        self.assertEqual(self.site.readings(OWN), [])
        # Nobody was ordered, no device acted, no right changed: but for who came and went.
        control = [it for it in self.site.records("control")[before:] if "presence" not in it[2]]
        self.assertEqual([it for it in control if "extract-data" not in it[3]], [])
        rights = (self.site.state / "registry/rights").read_text()
        self.assertNotIn("l1-p9", rights)

    def test_the_certificate_of_the_adopting_process_may_do_nothing_else(self):
        state_ = self.site.state
        for topic in (
            "control-message", f"stator/devices/{OWN}/command", f"stator/devices/{OWN}/event",
            "motor-failure-alert-level2-inference",
        ):  # fmt: skip
            command = [
                "mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.site.ports()["mqtts"]),
                "--cafile", state_ / "pki/ca.pem", "--cert", state_ / "pki/adopt.pem",
                "--key", state_ / "pki/adopt.key", "-i", "adopt", "-V", "5", "-q", "1",
                "-t", topic, "-m", '{"command":"backup-on","payload":"x"}',
            ]  # fmt: skip

            # Takes the place of the running one for a moment. That one comes back, on a busy machine
            # before the answer: then this one only lost its connection, and asks again.
            def said():
                done = subprocess.run(command, capture_output=True, text=True, timeout=20)
                words = done.stderr + done.stdout
                return None if "connection was lost" in words else f"{done.returncode}: {words}"

            self.assertIn("Not authorized", wait_until("the gate's answer", said), topic)
        self.assertFalse([it for it in self.site.records("control") if it[1] == "adopt"
                          and "presence" not in it[2]])  # fmt: skip

    def test_a_map_that_is_wrong_is_refused_with_file_line_and_key(self):
        wrong = self.site.state / "wrong.toml"
        wrong.write_text(map_of(self.foreign).replace('unit = "degF"', 'unit = "degX"'))
        done = self.site.stator("adopt", "--check", "--map", wrong, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, re.escape(str(wrong)) + r':\d+: channel: unit "degX" is not')
        good = self.site.stator("adopt", "--check", "--map", self.site.state / "map.toml")
        self.assertIn("temperature = $.motor.temp [degF -> degC]", good.stdout)


@unittest.skipUnless(LONG, "HiveMQ is run in ./test --long only")
@unittest.skipIf(foreign_broker.HiveMq.missing(), foreign_broker.HiveMq.missing())
class KeptHiveMq(KeptMosquitto):
    make_broker = foreign_broker.HiveMq

    def test_the_broker_lets_nobody_in_but_who_it_knows(self):
        for more, refusal in (
            (["-u", foreign_broker.USER, "-P", "guessed"], "Bad User Name or Password"),
            ([], "Bad User Name or Password"),
            (["-u", foreign_broker.USER, "-P", foreign_broker.PASSWORD], "Not authorized"),
        ):
            done = subprocess.run(
                ["mosquitto_pub", "-h", "localhost", "-p", str(self.foreign.secure), "-V", "5",
                 "--cafile", self.foreign.directory / "ca.pem", *more, "-q", "1",
                 "-t", "elsewhere", "-m", "x"],
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            self.assertIn(refusal, done.stderr + done.stdout)


@unittest.skipIf(kafka_broker.missing(), kafka_broker.missing())
class KeptKafka(unittest.TestCase):
    def test_a_topic_of_kafka_arrives_once_whatever_is_killed(self):
        with kafka_broker.Kafka() as kafka, tempfile.TemporaryDirectory() as directory:
            secret = pathlib.Path(directory) / "secret"
            secret.write_text(kafka_broker.PASSWORD)
            text = KAFKA_MAP.format(
                url="kafkas://" + kafka.secure_bootstrap,
                credentials=f'ca_file = "{kafka.ca}"\nusername = "{kafka_broker.USER}"\n'
                f'password_file = "{secret}"',
            )
            total = 0

            def produce(count):
                nonlocal total
                lines = "".join(
                    f'k{i % 3}:{{"t":{1700000000 + i},"amps":{i}}}\n'
                    for i in range(total, total + count)
                )
                kafka.kcat("-P", "-t", "pumps", "-K", ":", "-X", "acks=all", input=lines.encode())
                total += count

            produce(500)  # from before anybody read it
            site = KeptSite(text)
            try:
                for _ in range(20 if LONG else 3):
                    produce(500)
                    victim = wait_until("the adopting process", site.adopters)[0]
                    os.kill(victim, signal.SIGKILL)
                    wait_until(
                        "it to be started again",
                        lambda: (now := site.adopters()) and victim not in now,
                    )
                produce(100)

                def there():
                    counts = numbers_of(site.readings("k"), lambda it: it["timeStamp"])
                    return counts if len(counts) >= total else None

                counts = wait_until("every record", there, 90)
                self.assertEqual(len(counts), total)
                print(
                    f"adopt: Kafka: {total} records, 0 missing, "
                    f"{sum(counts.values()) - total} twice, under equal numbers"
                )
            finally:
                site.__exit__()


if __name__ == "__main__":
    unittest.main()
