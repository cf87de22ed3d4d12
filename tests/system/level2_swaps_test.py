"""Model swaps of level 2 under load, kill -9 in between: each record is judged once, by a valid model.

Every reading of the load is over the limit and a second of its device's time after the one before, so
each judged record gives exactly one alert, which names its model: the alarm log says what was done.
Everyday: 10 swaps. STATOR_LONG=1: 1,000.
"""
import hashlib
import http.client
import itertools
import json
import random
import re
import signal
import sqlite3
import ssl
import struct
import subprocess
import threading
import time
import unittest

from contract_test import multipart
from gate_site import GateSite
from kafka_broker import free_ports
from mqtt_wire import PUBACK
from stator_site import LONG, ROOT, STATOR, signed, wait_until

SWAPS = 1000 if LONG else 10
BAD_EACH = 5  # swaps to one announcement of a model that must not run
CLASS = "test-motor"
NUMBERED = ["load-1", "load-2", "load-3"]
PLAIN = "plain-1"  # of another make: its readings carry no numbers
READINGS_A_SECOND = 15  # of each device
DATA = "shaded-pole-motor-sensor_data"
CHANNELS = [f"c{i}" for i in range(8)]
START_MS = 1_700_000_000_000
BIAS_AT = 464  # docs: src/shared/detect/small_model_test.h


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def small_model():
    text = (ROOT / "src/shared/detect/small_model_test.h").read_text()
    return bytes(int(digits, 16) for digits in re.findall(r"\b0x([0-9A-F]{2})\b", text))


def asset_toml(device):
    text = f'\n[[asset]]\nid = "{device}"\ntitle = "{device}"\ndevice = "{device}"\nclass = "{CLASS}"\n'
    for name in CHANNELS:
        text += f'[[asset.channel]]\nname = "{name}"\nunit = "1"\nsampling = "slow"\n'
    return text


def own_ports():
    """Settings: no other test's site takes a port while our processes are down."""
    names = ["devices", "models", "datasets", "ops_registry", "ops_level2", "ops_sidecar", "level2_line"]
    return {"ports.wss": 0, **{f"ports.{name}": port for name, port in zip(names, free_ports(len(names)))}}


class Models:
    """Makes models and puts them into the real registry."""

    def __init__(self, site):
        self.site, self.count, self.bytes = site, 0, small_model()
        ca, certificate, key = site.service("rollout")
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(certificate, key)
        self.connection = http.client.HTTPSConnection("127.0.0.1", site.ports()["models"], timeout=30,
                                                      context=context)  # fmt: skip

    def send(self, method, path, body, headers=None):
        self.connection.request(method, path, body, headers or {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise AssertionError(f"{method} {path}: {answer.status} {text!r}")

    def publish(self, level=2, golden=1.0, keep_state=False, bias=None):
        """The name of a promoted model that calls everything a fault, or says LOGISTIC(w . x + bias).

        `golden`: of a row of zeros; 1 is the truth where there is no bias.
        """
        self.count += 1
        hours, seconds = divmod(self.count, 3600)
        name = f"2026-11-23-{hours:02}:{seconds // 60:02}:{seconds % 60:02}-model.tflite"
        file = self.with_bias(100 + self.count if bias is None else bias)
        truth = 1.0 if bias is None else self.values(file, [[0] * 8])[0]
        golden = truth if bias is not None else golden
        draft = {
            "format": 1, "name": name, "class": CLASS, "level": level, "release": 0,
            "sha256": hashlib.sha256(file).hexdigest(), "bytes": len(file), "arena_bytes": self.arena(file),
            "feature_set": f"{crc32c(''.join(c + chr(10) for c in CHANNELS).encode()):08x}",
            "keep_state": keep_state,
            "fold": {"features": 8, "mean": [0] * 8, "sd": [1] * 8, "smooth": 1, "window": 1, "range_sd": 16,
                     "adapt_rate": 0, "anchor_sd": 0, "ewma_alpha": 1, "threshold": 0.5, "clear_below": 0.4,
                     "raise_count": 1, "clear_count": 1},
            "golden": {"features": [[0] * 8], "values": [golden]},
        }  # fmt: skip
        body, headers = multipart(name, bytes(file))
        self.send("POST", "/uploadQuantizedModel", body, headers)
        self.send("PUT", f"/manifest/{name}", json.dumps(draft).encode())
        if golden == truth:
            self.send("POST", f"/api/v1/models/{name}/promote", b"{}")
        else:
            self.slip_in(name, json.dumps({**draft, "release": self.count + 1}).encode())
        return name

    def slip_in(self, name, manifest):
        """The registry will not sign what is not so: it is signed with the site's key behind its back."""
        self.connection.request("POST", f"/api/v1/models/{name}/promote", b"{}", {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        said = answer.read().decode()
        if answer.status != 400 or "golden" not in said:
            raise AssertionError(f"{name} was to be refused for its golden sequence: {answer.status} {said}")
        envelope = signed(self.site.state / "pki/model-signing.key", manifest).decode()
        with sqlite3.connect(self.site.state / "models/files.db", timeout=30) as database:
            database.execute("UPDATE models SET envelope = ? WHERE name = ?", (envelope, name))
        database.close()

    def with_bias(self, bias):
        file = bytearray(self.bytes)
        file[BIAS_AT:BIAS_AT + 4] = struct.pack("<f", bias)
        return file

    def values(self, file, rows):
        """What the model says of the rows, by hand."""
        csv = self.site.state / "rows.csv"
        csv.write_text("".join(",".join(map(repr, row)) + "\n" for row in rows))
        said = subprocess.run([STATOR, "tinyml", "run", self.written(file), "--input", csv],
                              capture_output=True, text=True, check=True)  # fmt: skip
        return [float(line) for line in said.stdout.split()]

    def written(self, file):
        path = self.site.state / "small.tflite"
        path.write_bytes(file)
        return path

    def arena(self, file):
        if not hasattr(self, "arena_bytes"):
            path = self.written(file)
            said = subprocess.run([STATOR, "tinyml", "check", path], capture_output=True, text=True, check=False)
            found = re.search(r"arena\D*(\d[\d,]*)", said.stdout + said.stderr, re.IGNORECASE)
            self.arena_bytes = int(found.group(1).replace(",", ""))
        return self.arena_bytes


class Load(threading.Thread):
    """One device's readings, without an end until it is told."""

    def __init__(self, site, name):
        super().__init__(daemon=True)
        self.site, self.name_, self.wanted, self.failure, self.sent = site, name, True, None, 0

    def run(self):
        try:
            with self.site.joined(self.name_) as wire:
                waiting = 0
                while self.wanted:
                    self.sent += 1
                    reading = {"deviceID": self.name_, "timeStamp": str(START_MS + 1000 * self.sent)}
                    reading.update(dict.fromkeys(CHANNELS, 1.0))
                    if self.name_ != PLAIN:
                        reading.update(boot=1, seq=self.sent)
                    wire.start_publish(DATA, json.dumps(reading))
                    waiting += 1
                    if waiting > 10:
                        wire.expect(PUBACK)
                        waiting -= 1
                    time.sleep(1 / READINGS_A_SECOND)  # its rate, nothing is waited for by it
                while waiting:
                    wire.expect(PUBACK)
                    waiting -= 1
        except BaseException as error:
            self.failure = error


class Service:
    """One of the site's processes, ours to kill."""

    def __init__(self, site, name, *arguments, environment=None):
        self.site, self.name, self.process = site, name, None
        self.arguments, self.environment = arguments, {**site.environment, **(environment or {})}
        self.out = open(site.state / f"journal/{name}-test.log", "ab")
        self.start()

    def start(self):
        self.process = subprocess.Popen([STATOR, self.name, "--state", self.site.state, *self.arguments],
                                        stdout=self.out, stderr=self.out, env=self.environment)  # fmt: skip

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.out.close()


class Swaps(unittest.TestCase):
    def facts(self, query):
        """What level 2 has committed; None while there is nothing."""
        try:
            with sqlite3.connect(f"file:{self.site.state}/level2/level2.db?mode=ro", uri=True, timeout=30) as database:
                return database.execute(query).fetchall()
        except sqlite3.OperationalError:
            return None
        finally:
            if "database" in locals():
                database.close()

    def running(self):
        rows = self.facts(f"SELECT value FROM facts WHERE name = 'model/{CLASS}'")
        return rows[0][0] if rows else ""

    def alive(self):
        if self.level2.process.poll() is not None:
            words = (self.site.state / "journal/level2-test.log").read_text()
            raise AssertionError(f"level 2 ended by itself: {words[-2000:]}")
        return True

    def announce(self, name):
        code = self.control.publish("control-message", json.dumps({"command": "download-model", "payload": name}))
        self.assertLess(code, 0x80)

    def start_processes(self):
        toml = self.site.state / "stator.toml"
        toml.write_text(toml.read_text() + "".join(asset_toml(name) for name in [*NUMBERED, PLAIN]))
        for name in [*NUMBERED, PLAIN]:
            self.site.add(name)
        broker = subprocess.Popen(self.site.broker_alone(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(broker.wait, 30)
        self.addCleanup(broker.terminate)
        self.registry = Service(self.site, "registry")
        self.addCleanup(self.registry.stop)
        self.level2 = Service(self.site, "level2")
        self.addCleanup(self.level2.stop)
        self.control = wait_until("the broker", self.joined_control, 30)
        self.addCleanup(self.control.close)
        self.models = Models(self.site)
        self.addCleanup(self.models.connection.close)
        wait_until("the registry", self.registry_answers, 30)

    def joined_control(self):
        try:
            wire = self.site.wire(self.site.service("rollout"), 60)
        except OSError:
            return None
        self.assertEqual(wire.connect("rollout", keep_alive=0), 0)
        return wire

    def registry_answers(self):
        try:
            self.models.connection.connect()
            return True
        except OSError:
            return False

    def test_each_record_is_judged_once_by_a_valid_model(self):
        self.site = GateSite(settings={"log.alarm_bytes": 128 << 20, **own_ports()})
        self.addCleanup(self.site.stop)
        self.start_processes()
        valid = [self.models.publish()]
        bad = []
        self.announce(valid[0])
        wait_until("the first model", lambda: self.running() == valid[0], 60)
        load = [Load(self.site, name) for name in [*NUMBERED, PLAIN]]
        for thread in load:
            thread.start()
        began = time.monotonic()
        try:
            self.swap_and_kill(valid, bad, load)
            wait_until("the last model", lambda: self.running() == valid[-1], 120)
        finally:
            for thread in load:
                thread.wanted = False
            for thread in load:
                thread.join(60)
        took = time.monotonic() - began
        for thread in load:
            if thread.failure:
                raise thread.failure
        wait_until("every record to be judged and told", lambda: self.all_told(load), 120)
        self.judge(load, valid, bad, took)

    def swap_and_kill(self, valid, bad, load):
        dice = random.Random(7)
        wrong = itertools.cycle([{"golden": 0.25}, {"level": 1}, None])
        for number in range(SWAPS):
            if number % BAD_EACH == 0:
                change = next(wrong)
                bad.append(self.models.publish(**change) if change else "2020-01-01-00:00:00-model.tflite")
                self.announce(bad[-1])
            valid.append(self.models.publish(keep_state=number % 2 == 1))
            self.announce(valid[-1])
            time.sleep(dice.random() * 0.3)  # the kill comes at any moment, not after a step
            self.level2.kill()
            self.level2.start()
            recent = set(valid[-4:])
            wait_until("level 2 to keep up", lambda: self.alive() and self.running() in recent, 120)
            for thread in load:
                if thread.failure:
                    raise thread.failure
            if (number + 1) % 50 == 0:
                print(f"swap {number + 1} of {SWAPS}", flush=True)

    def all_told(self, load):
        done = self.facts("SELECT id, seq FROM devices")
        waiting = self.facts("SELECT COUNT(*) FROM outbox")
        if done is None or waiting is None or waiting[0][0]:
            return False
        done = dict(done)
        if any(done.get(t.name_) != t.sent for t in load if t.name_ != PLAIN):
            return False
        plain = next(t for t in load if t.name_ == PLAIN)
        return f'"timeStamp":"{START_MS + 1000 * plain.sent}"' in "".join(
            line for line in self.site.log("alarm")[-2000:] if PLAIN in line)  # fmt: skip

    def judge(self, load, valid, bad, took):
        alerts = {}
        again = 0
        for line in self.site.log("alarm"):
            if (at := line.find("{")) < 0:
                continue
            alert = json.loads(line[at:])
            if alert.get("sourceID") != "level2-1":
                continue
            key = (alert["boot"], alert["seq"])
            if key in alerts:
                self.assertEqual(alerts[key], alert, "one number, two alerts")
                again += 1
            alerts[key] = alert
        release = {name: n for n, name in enumerate(valid)}
        wrong = [a for a in alerts.values() if a["model"] not in release]
        records = missing = twice = 0
        for thread in load:
            mine = [a for _, a in sorted(alerts.items()) if a["deviceID"] == thread.name_ and a["alarm"]]
            times = [int(a["timeStamp"]) for a in mine]
            expected = [START_MS + 1000 * n for n in range(1, thread.sent + 1)]
            records += len(expected)
            missing += len(set(expected) - set(times))
            twice += len(times) - len(set(times))
            self.assertEqual(times, sorted(times), f"{thread.name_}: out of order")
            releases = [release.get(a["model"], -1) for a in mine]
            self.assertEqual(releases, sorted(releases), f"{thread.name_}: an older model judged again")
        ran = {a["model"] for a in alerts.values()}
        confirmed = set()
        refused = set()
        for line in self.site.log("control"):
            if (at := line.find("{")) >= 0 and '"event":"model"' in line:
                event = json.loads(line[at:])
                {"confirmed": confirmed, "refused": refused}.get(event["state"], set()).add(event["model"])
        print(f"{SWAPS} swaps and kills in {took:.0f} s, {records} records of {len(load)} devices: {missing} not judged, "
              f"{twice} judged twice, {len(wrong)} by a model that was not valid; {len(confirmed)} models confirmed, "
              f"{len(ran & set(valid))} judged something, {len(refused)} refused, {again} alerts stored again "
              "with equal numbers")  # fmt: skip
        self.assertEqual((missing, twice, wrong), (0, 0, []))
        self.assertEqual(confirmed, set(valid))
        self.assertLessEqual(refused, set(bad))
        self.assertGreater(len(refused), 0)
        self.assertGreater(len(ran), SWAPS // 3)


if __name__ == "__main__":
    unittest.main()
