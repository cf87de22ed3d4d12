"""Level 2 on the emulated board, beside level 2 on Linux: one model for each level, the same alerts.

The models come of the site's own pipeline, from what a device measured. Then a device that nobody has
judged before breaks: both levels 2 have heard the same readings from its first one on, so what they
say of it must be equal, to the last digit.
"""
import json
import pathlib
import random
import re
import ssl
import subprocess
import tempfile
import unittest
import urllib.request

import budgets
from board_site import Board
from firmware_build import BUILD, build_firmware
from gate_site import GateSite
from stator_site import STATOR, wait_until

BOARD = "level2-2"
CLASS = "pump"
LEARNT, TWIN = "pump-1", "pump-2"  # who teaches, and who breaks
STRANGER = "fan-1"  # of another class
DATA = "shaded-pole-motor-sensor_data"
ALERTS = "motor-failure-alert-level2-inference"
CHANNELS = {"current": 1.2, "temperature": 35.0, "vibration": 0.5, "sound": 0.2}
START_MS = 1_790_000_000_000
ROWS = 240  # of a training set
HEALTHY, FAILING, BROKEN = 30, 60, 30  # readings of the twin
LOT = 30
REFUSED = 0x80  # and above: reason codes that say no


def asset_toml(device, device_class):
    text = f'\n[[asset]]\nid = "{device}"\ntitle = "{device}"\ndevice = "{device}"\nclass = "{device_class}"\n'
    for name in CHANNELS:
        text += f'[[asset.channel]]\nname = "{name}"\nunit = "1"\nsampling = "slow"\n'
    return text


class Machine:
    """A device whose machine is well until `fault` grows; it numbers and dates its readings."""

    def __init__(self, site, name, seed):
        self.wire, self.name, self.seq = site.joined(name), name, 0
        self.random = random.Random(seed)

    def reading(self, fault=0.0):
        self.seq += 1
        values = {
            name: round(level * (1 + 0.02 * self.random.gauss(0, 1) + (0.9 * fault if name == "vibration" else 0)), 5)
            for name, level in CHANNELS.items()
        }
        return json.dumps({"deviceID": self.name, "timeStamp": str(START_MS + 1000 * self.seq), "fft_data": "true",
                           "boot": 1, "seq": self.seq, **values})  # fmt: skip

    def send(self, message, topic=DATA):
        code = self.wire.publish(topic, message)
        if code >= REFUSED:
            raise AssertionError(f"{self.name}: refused with {code:#x}")
        return message

    def confirm(self, model):
        self.seq += 1
        self.send(json.dumps({"deviceID": self.name, "timeStamp": str(START_MS), "boot": 1, "seq": self.seq,
                              "event": "model", "state": "confirmed", "model": model, "release": 1, "reason": ""}),
                  f"stator/devices/{self.name}/event")  # fmt: skip


class BoardLevel2(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build_firmware()
        folder = tempfile.TemporaryDirectory(prefix="stator-board-level2-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        state = cls.folder / "state"
        subprocess.run([STATOR, "init", "--state", state], check=True, capture_output=True)
        toml = state / "stator.toml"
        text = toml.read_text().split("\n[[asset]]")[0]
        assets = asset_toml(LEARNT, CLASS) + asset_toml(TWIN, CLASS) + asset_toml(STRANGER, "fan")
        toml.write_text(text + assets)
        for name in (LEARNT, TWIN, STRANGER):  # before `stator up` keeps a code for each
            subprocess.run([STATOR, "device", "add", name, "--state", state], check=True, capture_output=True)
        cls.site = GateSite(state, settings={"ingest.max_rows": ROWS})
        cls.addClassCleanup(cls.site.stop)
        cls.board = Board(cls.folder)
        cls.addClassCleanup(cls.board.close)
        cls.board.provision_level2(cls.site, BOARD, CLASS)
        cls.board.start()
        cls.board.wait_for("\nconnected", 120)

    def models(self):
        """Those that are promoted: {level: [name]}."""
        ca, certificate, key = self.site.service("rollout")
        context = ssl.create_default_context(cafile=ca)
        context.load_cert_chain(certificate, key)
        url = f"https://127.0.0.1:{self.site.ports()['models']}/api/v1/models"
        with urllib.request.urlopen(url, timeout=20, context=context) as answer:
            found = {}
            for model in json.loads(answer.read()):
                if model["state"] == "promoted":
                    found.setdefault(model["level"], []).append(model["name"])
            return found

    def messages(self, log_class, wanted):
        """Of the log, numbers as they were written; each once."""
        found = {}
        for line in self.site.log(log_class):
            if (at := line.find("{")) < 0:
                continue
            message = json.loads(line[at:], parse_float=str)
            if wanted(message):
                who = message.get("sourceID", message.get("deviceID"))
                found[(who, message["boot"], message["seq"]) if "seq" in message else line] = message
        return list(found.values())

    def alerts(self, source, device):
        """{time: what was said of it}, in order."""
        mine = self.messages("alarm", lambda m: m.get("sourceID") == source and m["deviceID"] == device)
        return {
            m["timeStamp"]: {k: v for k, v in m.items() if k not in ("sourceID", "boot", "seq")}
            for m in sorted(mine, key=lambda m: (m["boot"], m["seq"]))
        }

    def counted(self):
        """The board's last word on readings judged, readings that came again, messages that wait."""
        found = re.findall(r"^cost judged = (\d+)\ncost known = (\d+)\n(?:cost [a-z]+ = \d+\n)*?cost waiting = (\d+)$",
                           self.board.text(), re.MULTILINE)  # fmt: skip
        return tuple(map(int, found[-1])) if found else None

    def model_events(self, device):
        return self.messages("control", lambda m: m.get("event") == "model" and m["deviceID"] == device)

    def says(self, device, model, state):
        return any(e["model"] == model and e["state"] == state for e in self.model_events(device))

    def overview(self):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.site.ports()['console']}/api/v1/overview",
            headers={"Authorization": f"Bearer {(self.site.state / 'run/operator.token').read_text().strip()}"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    def machine(self, name, seed):
        machine = Machine(self.site, name, seed)
        self.addCleanup(machine.wire.close)
        return machine

    # The steps of one story, in order: each needs what the one before it left.
    def test_level_2_on_a_board(self):
        for step in (
            self.what_cannot_be_is_not_flashed,
            self.the_pipeline_makes_one_model_for_each_level,
            self.each_level_takes_its_own_model_alone,
            self.the_board_says_what_the_server_says_to_the_last_digit,
            self.the_alarm_list_shows_it,
            self.a_restart_needs_no_registry_and_ends_the_alarm,
            self.it_may_speak_of_its_own_devices_alone,
            self.it_keeps_to_its_budgets,
        ):
            try:
                step()
            except BaseException:
                print(f"{step.__name__}; the board said:\n{self.board.text()[-3000:]}")
                raise

    def what_cannot_be_is_not_flashed(self):
        other = Board(self.folder / "other", self.board.clock)
        other.folder.mkdir()
        for why, identity, judged_class in (
            ("no asset with class = \"turbine\"", "level2-3", "turbine"),
            (f"{TWIN} is a device of stator.toml", TWIN, CLASS),
            ("level2-1 is a service of this site", "level2-1", CLASS),
        ):
            with self.assertRaisesRegex(AssertionError, why):
                other.provision_level2(self.site, identity, judged_class)
        firmware = other.pack(self.site, BUILD / "node_image.bin", "node.bin", release=1)
        with self.assertRaisesRegex(AssertionError, "is for the board mps2-an386; level2-3 needs one for"):
            other.write_flash(self.site, "level2-3", firmware, "--level2", CLASS)
        self.assertFalse(other.flash.exists())

    def the_pipeline_makes_one_model_for_each_level(self):
        machine = self.machine(LEARNT, seed=1)
        for _ in range(ROWS + 10):
            machine.send(machine.reading())
        models = wait_until("a model for each level", lambda: (m := self.models()) and len(m) == 2 and m, 120)
        self.assertEqual({level: len(names) for level, names in models.items()}, {1: 1, 2: 1})
        type(self).level1, type(self).level2 = models[1][0], models[2][0]
        type(self).learnt = machine

    def each_level_takes_its_own_model_alone(self):
        self.board.wait_for(f"\nruns {self.level2}", 120)
        for source in (BOARD, "level2-1"):
            wait_until(f"{source} to confirm it", lambda s=source: self.says(s, self.level2, "confirmed"), 60)
        # Both devices of the class run level 1's: then it is announced to all, level 2 among them.
        twin = self.machine(TWIN, seed=2)
        for machine in (self.learnt, twin):
            machine.confirm(self.level1)
        wait_until("level 1's announcement", lambda: self.messages(
            "control", lambda m: m.get("payload") == self.level1 and "deviceID" not in m), 60)
        type(self).twin = twin

    def the_board_says_what_the_server_says_to_the_last_digit(self):
        twin, sent = self.twin, []
        for i in range(HEALTHY + FAILING + BROKEN):
            fault = min(max(0, i - HEALTHY) / FAILING, 1.0)
            sent.append(twin.send(twin.reading(fault)))
            if i % 10 == 9:  # what a device sends again when its acknowledgement was lost
                twin.send(sent[-1])
                twin.send(sent[-7])
            if i % LOT == LOT - 1:  # a second of its time each: no more than the board holds for the site
                wait_until("the site to have stored what the board says",
                           lambda n=len(sent): self.counted() == (n, 2 * (n // 10), 0), 60)  # fmt: skip
        stranger = self.machine(STRANGER, seed=3)
        for _ in range(5):
            stranger.send(stranger.reading(1.0))
        last = str(START_MS + 1000 * twin.seq)
        for source in (BOARD, "level2-1"):
            wait_until(f"{source}'s alert about the last reading",
                       lambda s=source: last in self.alerts(s, TWIN), 120)  # fmt: skip
        board, server = self.alerts(BOARD, TWIN), self.alerts("level2-1", TWIN)
        self.assertEqual(board, server)
        raised = [a for a in board.values() if a["alarm"]]
        self.assertGreater(len(raised), BROKEN)
        self.assertEqual({a["severity"] for a in raised}, {"potential", "imminent"})
        self.assertEqual({a["model"] for a in raised}, {self.level2})
        self.assertGreater(float(raised[-1]["contributions"]["vibration"]), 0.9)
        print(f"{len(board)} alerts about {len(sent)} readings, equal to the last digit; the first: {raised[0]}")
        wait_until("the board to have passed over a stranger's", lambda: self.board.cost("strange") == 5, 30)
        self.assertEqual(self.board.cost("incomplete"), 0)
        self.assertEqual(self.board.cost("shed"), 0)
        # Of level 1's model it has said nothing, and runs what it ran.
        self.assertEqual({e["model"] for e in self.model_events(BOARD)}, {self.level2})
        self.assertEqual([e["state"] for e in self.model_events(BOARD)][:4],
                         ["downloading", "downloaded", "trial", "confirmed"])  # fmt: skip
        self.assertEqual(self.board.text().count("\nruns "), 1)

    def the_alarm_list_shows_it(self):
        def shown():
            return [e for e in self.overview()["episodes"] if e["device"] == TWIN and e["level"] == 2]

        episode = wait_until("the alarm in the list", shown, 30)[0]
        self.assertEqual(episode["severity"], "imminent")
        self.assertEqual(episode["model"], self.level2)

    def a_restart_needs_no_registry_and_ends_the_alarm(self):
        self.board.stop()
        before = len(self.board.text())
        self.board.start()
        wait_until("the board to run its model again",
                   lambda: f"\nruns {self.level2}" in self.board.text()[before:], 60)  # fmt: skip
        self.assertNotIn("fetch", self.board.text()[before:])
        wait_until("the board to be back", lambda: "\nconnected" in self.board.text()[before:], 60)
        self.assertIn(f"\nalarm {TWIN}", self.board.text()[before:])
        for _ in range(80):
            self.twin.send(self.twin.reading())
        wait_until("the board to end its alarm", lambda: [
            m for m in self.messages("alarm", lambda m: m.get("sourceID") == BOARD and m["deviceID"] == TWIN)
            if m["boot"] == 2 and not m["alarm"]], 60)  # fmt: skip

    def it_may_speak_of_its_own_devices_alone(self):
        self.board.stop()
        with self.site.joined(BOARD) as wire:
            def says(device):
                alert = {"deviceID": device, "timeStamp": str(START_MS), "inference": 0.9, "severity": "imminent",
                         "model": self.level2, "boot": 9, "seq": says.seq, "sourceID": BOARD}  # fmt: skip
                says.seq += 1
                return wire.publish(ALERTS, json.dumps(alert))

            says.seq = 1
            self.assertGreaterEqual(says(STRANGER), REFUSED)
            self.assertLess(says(LEARNT), REFUSED)
            self.assertGreaterEqual(wire.publish(DATA, self.twin.reading()), REFUSED)
            self.assertGreaterEqual(wire.subscribe("#"), REFUSED)
            self.assertGreaterEqual(wire.subscribe(f"stator/devices/{TWIN}/command"), REFUSED)
            self.assertLess(wire.subscribe(DATA), REFUSED)

    def it_keeps_to_its_budgets(self):
        costs = {}
        for name in ("stack", "tls_pool"):  # of both starts: the first one brought a model
            costs[name] = max(map(int, re.findall(rf"^cost {name} = (\d+)$", self.board.text(), re.MULTILINE)))
        budgets.hold(self, "level2_image", budgets.sizes(BUILD / "level2_image.elf") | costs)


if __name__ == "__main__":
    unittest.main()
