"""A bad cable: the emulated board's Ethernet frames, lost, late, out of order and doubled on their way."""
import heapq
import itertools
import random
import select
import socket
import subprocess
import threading
import time

from firmware_build import tool

LOSS, LATE, DOUBLED = 0.02, 0.05, 0.005
LATE_S = (0.005, 0.04)  # a late frame is overtaken by those behind it


class RoughWire:
    """Between the board's emulator and one that is only the network behind it, a frame a datagram."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.calm, self.cut, self.counts = False, False, dict.fromkeys(
            ("passed", "lost", "late", "doubled"), 0)
        self.ends = [self.bound(), self.bound()]
        board, network = self.free_port(), self.free_port()
        self.peers = [("127.0.0.1", board), ("127.0.0.1", network)]
        here = [end.getsockname()[1] for end in self.ends]
        self.nic = f"socket,model=lan9118,udp=127.0.0.1:{here[0]},localaddr=127.0.0.1:{board}"
        self.network = subprocess.Popen(
            [tool("qemu-system-arm"), "-M", "none", "-display", "none", "-monitor", "none",
             "-serial", "none", "-netdev", "user,id=user", "-netdev",
             f"socket,id=wire,udp=127.0.0.1:{here[1]},localaddr=127.0.0.1:{network}",
             "-netdev", "hubport,id=a,hubid=0,netdev=user",
             "-netdev", "hubport,id=b,hubid=0,netdev=wire"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    @staticmethod
    def bound():
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind(("127.0.0.1", 0))
        return end

    @staticmethod
    def free_port():
        with RoughWire.bound() as end:
            return end.getsockname()[1]

    def fate(self):
        """The delays of the copies that arrive."""
        if self.cut or (not self.calm and self.chance.random() < LOSS):
            self.counts["lost"] += 1
            return []
        self.counts["passed"] += 1
        if self.calm:
            return [0]
        if self.chance.random() < DOUBLED:
            self.counts["doubled"] += 1
            return [0, self.chance.uniform(*LATE_S)]
        if self.chance.random() < LATE:
            self.counts["late"] += 1
            return [self.chance.uniform(*LATE_S)]
        return [0]

    def carry(self):
        waiting, order = [], itertools.count()
        while not self.ended.is_set():
            pause = min(max(waiting[0][0] - time.monotonic(), 0), 0.2) if waiting else 0.2
            for end in select.select(self.ends, [], [], pause)[0]:
                frame = end.recv(65536)
                to = 1 - self.ends.index(end)
                for delay in self.fate():
                    heapq.heappush(waiting, (time.monotonic() + delay, next(order), to, frame))
            while waiting and waiting[0][0] <= time.monotonic():
                _, _, to, frame = heapq.heappop(waiting)
                self.ends[to].sendto(frame, self.peers[to])

    def close(self):
        self.ended.set()
        self.thread.join(5)
        self.network.kill()
        self.network.wait()
        for end in self.ends:
            end.close()
