"""The emulated board on a bad cable, its broker killed again and again: nothing is lost that its ring and its flash hold."""
import json
import re
import tempfile
import time
import unittest

from board_site import Board
from firmware_build import build_firmware
from rough_wire import RoughWire
from stator_site import LONG, Site, wait_until

MINUTES = 20 if LONG else 0.6
BETWEEN_KILLS_S = 45 if LONG else 15
INTERVAL_MS = 250
WAVEFORM_S = 10  # between raw frames: they are the first to go, and nothing else may
RING = 96  # readings, as in node_main.cpp


class BoardOnABadCable(unittest.TestCase):
    def records(self):
        """What the log holds of the device, by boot and seq; the gaps that it declared; and its waveforms."""
        kept, gaps, waveforms = set(), set(), 0
        for kind in ("waveform", "telemetry", "alarm", "control"):
            text = self.site.stator("log", "tail", "--class", kind, "--all").stdout
            for line in text.splitlines():
                at = line.find("{")
                try:
                    record = json.loads(line[at:]) if at >= 0 else {}
                except json.JSONDecodeError:
                    continue
                if record.get("deviceID") != "14333616" or "seq" not in record:
                    continue
                waveforms += kind == "waveform" and (record["boot"], record["seq"]) not in kept
                kept.add((record["boot"], record["seq"]))
                if record.get("event") == "gap" and "from" in record:
                    gaps |= {(record["boot"], n)
                             for n in range(record["from"], record["to"] + 1)}
        return kept, gaps, waveforms

    def costs(self, name):
        return [int(n) for n in re.findall(rf"^cost {name} = (\d+)$", self.board.text(), re.MULTILINE)]

    def test_what_the_ring_can_hold_arrives_and_every_gap_is_declared(self):
        build_firmware()
        folder = tempfile.TemporaryDirectory(prefix="stator-board-")
        self.addCleanup(folder.cleanup)
        self.site = Site("--bench", folder.name, "--no-fault", "--no-load-change")
        self.addCleanup(self.site.__exit__)
        wire = RoughWire(seed=5)
        self.addCleanup(wire.close)
        self.board = Board(folder.name)
        self.addCleanup(self.board.close)
        self.board.nic = wire.nic
        self.board.wait_for_site(self.site)
        self.board.provision(self.site, environment={
            "STATOR_NODE_INTERVAL_MS": str(INTERVAL_MS), "STATOR_NODE_WAVEFORM_INTERVAL_S": str(WAVEFORM_S)})
        self.board.start()
        self.board.wait_for("\nconnected", 120)
        end, kills = time.monotonic() + MINUTES * 60, 0
        dark_at = time.monotonic() + MINUTES * 30 if LONG else None
        next_kill = time.monotonic() + BETWEEN_KILLS_S / 2
        while time.monotonic() < end:  # this is the time that is to pass
            time.sleep(0.5)
            if dark_at and time.monotonic() > dark_at:  # longer than the ring lasts
                wire.cut, dark_at = True, None
                time.sleep(2 * RING * INTERVAL_MS / 1000)
                wire.cut = False
            if time.monotonic() > next_kill:
                self.site.kill_broker()
                kills += 1
                next_kill += BETWEEN_KILLS_S
        wire.calm = True
        before = len(self.costs("waiting"))
        wait_until("what waits to have gone", lambda: len(self.costs("waiting")) > before + 1
                   and self.costs("waiting")[-1] < 2000 / INTERVAL_MS + 4, 120)
        self.board.stop()
        self.hold(kills, wire.counts)

    def hold(self, kills, frames):
        kept, gaps, waveforms = self.records()
        boots = {boot for boot, _ in kept}
        self.assertEqual(boots, {1})
        last = max(seq for _, seq in kept)
        missing = {(1, n) for n in range(1, last + 1)} - kept - gaps
        shed, waveforms_shed, waiting, pool = (self.costs(name) for name in (
            "shed", "waveforms_shed", "waiting", "tls_pool_blocks"))
        print(f"{frames}; {kills} broker kills; {last} messages, {self.costs('readings')[-1]} readings and {waveforms} "
              f"waveforms among them, {len(gaps - kept)} in declared gaps, {len(missing)} missing without; shed {shed[-1]}, "
              f"{waveforms_shed[-1]} of them waveforms; skipped {self.costs('skipped')[-1]}"
              f"; most waiting {max(waiting)}; TLS pool at rest {min(pool)} to {pool[-1]} blocks, most {max(pool)}, in bytes {self.costs('tls_pool')[-1]};"
              f" {self.board.text().count('the connection is lost')} connections lost")
        self.assertEqual(missing, set())
        # Flash lasts for more than half an hour of everything but waveforms.
        self.assertEqual(shed[-1], waveforms_shed[-1])
        self.assertLessEqual(len(gaps - kept), waveforms_shed[-1])
        self.assertGreater(waveforms, 0)
        if LONG:
            self.assertGreater(max(waiting), RING)  # in the long darkness
            self.assertGreater(waveforms_shed[-1], 0)
        # A leak would leave less and less: the same sessions are open at the end as in the beginning. In blocks, for
        # of a hole the pool gives away what has no room for another block's head. It counts the holes, too, of which
        # there is one more or less; a block that each connection leaves behind is as many as there were.
        lost = self.board.text().count("the connection is lost")
        self.assertLess(pool[-1], max(pool[:len(pool) // 2]) + max(lost, 2))
        self.assertNotIn("!!", self.board.text())
        self.assertEqual(self.board.text().count("boot: slot"), 1)


if __name__ == "__main__":
    unittest.main()
