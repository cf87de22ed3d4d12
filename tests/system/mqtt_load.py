"""Devices that send at a rate over mutual TLS, and know what was acknowledged to them.

    load = Load(site, ["d1", "d2"], rate=400)
    load.start()
    ...
    load.stop()              # everything sent is acknowledged now: load.sent["d1"] is the last seq

What a device says follows from its name and the number alone (`payload_of`), so whoever finds a
message anywhere can tell whether it is whole. One in ALARM_EVERY is a level-1 inference, one in
EVENT_EVERY an event; all else is telemetry. Every number of a device is used once, from 1 on.
"""
import asyncio
import ssl
import struct
import threading
import time

BOOT = 1
ALARM_EVERY = 50
EVENT_EVERY = 97
WINDOW = 2000  # unacknowledged messages of a device
TICK_S = 0.01
BEGUN_MS = 1_700_000_000_000

TELEMETRY = "shaded-pole-motor-sensor_data"
ALARM = "motor-anomaly-level1-inference"


def topic_of(device, seq):
    if seq % ALARM_EVERY == 0:
        return ALARM
    if seq % EVENT_EVERY == 0:
        return f"stator/devices/{device}/event"
    return TELEMETRY


def payload_of(device, seq):
    head = f'{{"deviceID":"{device}","boot":{BOOT},"seq":{seq},"timeStamp":"{BEGUN_MS + seq}"'
    topic = topic_of(device, seq)
    if topic == TELEMETRY:
        rest = f',"current":0.6{seq % 10},"temperature":41.2,"vibration":0.1{seq % 7},"sound":0.8'
    elif topic == ALARM:
        rest = ',"inference":0.12,"threshold":0.5,"alarm":true'
    else:
        rest = ',"event":"sensor-fault","channel":"sound","fault":"noisy"'
    return (head + rest + "}").encode()


def packet(first, body):
    length, size = bytearray(), len(body)
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes([first]) + bytes(length) + body


def text(value):
    data = value.encode()
    return struct.pack("!H", len(data)) + data


class Load:
    def __init__(self, site, devices, rate):
        self.devices = list(devices)
        self.rate = rate / len(self.devices)
        self.port = site.ports()["mqtts"]
        self.contexts = {}
        for device in self.devices:
            said = site.stator("device", "add", device).stdout
            files = dict(zip(["--cafile", "--cert", "--key"], [None] * 3))
            words = said.split()
            for name in files:
                files[name] = words[words.index(name) + 1]
            context = ssl.create_default_context(cafile=files["--cafile"])
            context.load_cert_chain(files["--cert"], files["--key"])
            self.contexts[device] = context
        self.sent = {device: 0 for device in self.devices}
        self.acknowledged = {device: 0 for device in self.devices}
        self.error = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def start(self):
        self.begun = time.monotonic()
        self.thread.start()

    def stop(self, seconds=60):
        self.seconds = time.monotonic() - self.begun
        self.stopping.set()
        self.thread.join(seconds)
        self.check()
        if self.thread.is_alive():
            behind = {d: self.sent[d] - self.acknowledged[d] for d in self.devices}
            raise AssertionError(f"not acknowledged within {seconds} s: {behind}")

    def check(self):
        if self.error:
            raise AssertionError(f"a device was not served: {self.error!r}") from self.error

    def total(self):
        return sum(self.sent.values())

    def total_acknowledged(self):
        return sum(self.acknowledged.values())

    def run(self):
        try:
            asyncio.run(self.run_all())
        except Exception as error:  # told by check()
            self.error = error

    async def run_all(self):
        await asyncio.gather(*(self.run_one(device) for device in self.devices))

    async def run_one(self, device):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.contexts[device]
        )
        connect = text("MQTT") + bytes([4, 2]) + struct.pack("!H", 60) + text(device)
        writer.write(packet(0x10, connect))
        answer = await reader.readexactly(4)
        if answer != b"\x20\x02\x00\x00":
            raise ConnectionError(f"{device}: CONNACK {answer.hex()}")
        hearing = asyncio.create_task(self.hear(device, reader))
        began = time.monotonic()
        while not self.stopping.is_set():
            if hearing.done():
                hearing.result()  # raises
            # The rate counts from the start, so that a machine that stalls catches up.
            due = int((time.monotonic() - began) * self.rate) - self.sent[device]
            room = WINDOW - (self.sent[device] - self.acknowledged[device])
            frames = bytearray()
            for _ in range(min(due, room)):
                self.sent[device] += 1
                seq = self.sent[device]
                packet_id = (seq - 1) % 65535 + 1
                body = text(topic_of(device, seq)) + struct.pack("!H", packet_id)
                frames += packet(0x32, body + payload_of(device, seq))
            if frames:
                writer.write(bytes(frames))
                await writer.drain()
            await asyncio.sleep(TICK_S)
        while self.acknowledged[device] < self.sent[device]:
            if hearing.done():
                hearing.result()
            await asyncio.sleep(TICK_S)
        hearing.cancel()
        writer.write(packet(0xE0, b""))
        await writer.drain()
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), 10)

    async def hear(self, device, reader):
        """Mosquitto acknowledges in order: the n-th PUBACK is of number n."""
        while True:
            first = (await reader.readexactly(1))[0]
            size = (await reader.readexactly(1))[0]  # nothing longer than 127 bytes comes to us
            body = await reader.readexactly(size)
            if first >> 4 != 4:
                raise ConnectionError(f"{device}: packet {first:#x} {body.hex()}")
            expected = self.acknowledged[device] % 65535 + 1
            if struct.unpack("!H", body[:2])[0] != expected:
                raise ConnectionError(f"{device}: PUBACK {body.hex()}, not {expected}")
            self.acknowledged[device] += 1
