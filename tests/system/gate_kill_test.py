"""kill -9 of the broker under the load of 20 clients: what was acknowledged is in the log."""
import random
import signal
import ssl
import subprocess
import threading
import time
import unittest

from gate_site import GateSite
from mqtt_wire import PUBACK, Closed, reading
from stator_site import LONG, wait_until

ROUNDS = 200 if LONG else 3
CLIENTS = 20
IN_FLIGHT = 10
DATA = "shaded-pole-motor-sensor_data"
REFUSED = 0x80


class Client(threading.Thread):
    """Publishes readings with some in flight, comes back after each kill, and keeps what was acknowledged.

    What was not acknowledged it sends again with the same number, as a device does.
    """

    def __init__(self, site, name):
        super().__init__(daemon=True)
        self.site, self.name_, self.wanted = site, name, True
        self.acknowledged = set()
        self.waiting = []  # numbers to send (again)
        self.next = 1
        self.failure = None

    def run(self):
        while self.wanted and not self.failure:
            try:
                with self.site.joined(self.name_) as wire:
                    self.publish(wire)
            except (Closed, ConnectionError, ssl.SSLError, TimeoutError, OSError):
                time.sleep(0.02)
            except BaseException as error:
                self.failure = error

    def publish(self, wire):
        under_way = {}
        try:
            while self.wanted:
                while len(under_way) < IN_FLIGHT:
                    if not self.waiting:
                        self.waiting.append(self.next)
                        self.next += 1
                    seq = self.waiting.pop(0)
                    under_way[wire.next_id % 65535 + 1] = seq
                    wire.start_publish(DATA, reading(self.name_, seq))
                body = wire.expect(PUBACK)
                seq = under_way.pop(int.from_bytes(body[:2], "big"))
                if len(body) > 2 and body[2] >= REFUSED:
                    raise AssertionError(f"{self.name_}: reading {seq} was refused: {body[2]:#x}")
                self.acknowledged.add(seq)
        finally:
            self.waiting = sorted([*under_way.values(), *self.waiting])


class Kill(unittest.TestCase):
    def test_every_acknowledged_message_is_in_the_log(self):
        with GateSite(settings={"log.telemetry_bytes": 4 << 30}) as site:
            names = [f"load-{n}" for n in range(CLIENTS)]
            for name in names:
                site.add(name)
            command = site.broker_alone()

            def start():
                return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

            broker = start()
            clients = [Client(site, name) for name in names]
            try:
                for client in clients:
                    client.start()
                dice = random.Random(7)
                for number in range(ROUNDS):
                    before = [len(client.acknowledged) for client in clients]
                    wait_until(
                        "every client's next acknowledgements",
                        lambda: any(c.failure for c in clients)
                        or all(len(c.acknowledged) > n + 3 for c, n in zip(clients, before)),
                        60,
                    )
                    time.sleep(dice.random() * 0.2)  # the kill comes at any moment, not after a step
                    broker.send_signal(signal.SIGKILL)
                    broker.wait()
                    broker = start()
                    if (number + 1) % 20 == 0:
                        print(f"round {number + 1} of {ROUNDS}", flush=True)
                before = [len(client.acknowledged) for client in clients]
                wait_until("the last ones", lambda: all(len(c.acknowledged) > n for c, n in zip(clients, before)), 60)
            finally:
                for client in clients:
                    client.wanted = False
                for client in clients:
                    client.join(30)
                broker.terminate()
                broker.wait(30)
            for client in clients:
                if client.failure:
                    raise client.failure
            stored = site.sequences()
            acknowledged = [(c.name_, 1, seq) for c in clients for seq in c.acknowledged]
            missing = [one for one in acknowledged if one not in stored]
            again = sum(times - 1 for times in stored.values())
            print(f"{ROUNDS} rounds, {CLIENTS} clients, {len(acknowledged)} acknowledged, {len(missing)} missing, "
                  f"{again} stored again with equal (device, boot, seq)")  # fmt: skip
            self.assertEqual(missing, [])
            self.assertGreater(len(acknowledged), ROUNDS * CLIENTS)
            self.assertEqual(site.stator("log", "verify").returncode, 0)


if __name__ == "__main__":
    unittest.main()
