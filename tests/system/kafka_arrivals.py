"""What kcat, a stranger, finds in Kafka of what a Load's devices sent: missing, twice, damaged, out of order."""
import concurrent.futures
import re

from mqtt_load import payload_of, topic_of

DEVICE_AND_SEQ = re.compile(rb'"deviceID":"([^"]+)","boot":\d+,"seq":(\d+)')


class Arrivals:
    """read() takes what is new since the last one; a fresh object reads everything."""

    def __init__(self, kafka, load, topics):
        self.kafka = kafka
        self.load = load
        self.topics = topics  # MQTT's name -> Kafka's
        self.offsets = {}  # (topic, partition) -> the next
        self.times = {device: {} for device in load.devices}
        self.last = {}  # (device, topic) -> highest number so far
        self.strange = []  # what nobody sent so
        self.out_of_order = 0

    def places(self):
        """(topic, partition) of each partition that has a leader now."""
        found, topic = [], None
        for line in self.kafka.kcat("-L", "-m", "10", check=False).decode().splitlines():
            if named := re.match(r'\s+topic "([^"]+)"', line):
                topic = named.group(1)
            elif led := re.match(r"\s+partition (\d+), leader \d", line):
                if topic in self.topics.values():
                    found.append((topic, int(led.group(1))))
        return found

    def read(self):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            places = self.places()
            for place, lines in zip(places, pool.map(self.lines_of, places)):
                for line in lines:
                    offset, key, payload = line.split(b"|", 2)
                    self.offsets[place] = int(offset) + 1
                    self.take(place[0], key.decode(), payload)
        return self

    def lines_of(self, place):
        topic, partition = place
        # A node may be away just now: what is not read today is read by the next call.
        return self.kafka.kcat(
            "-C", "-q", "-e", "-t", topic, "-p", str(partition),
            "-o", str(self.offsets.get(place, 0)), "-f", r"%o|%k|%s\n",
            "-X", "fetch.wait.max.ms=10", "-X", "topic.metadata.refresh.fast.interval.ms=50",
            timeout=300, check=False,
        ).splitlines()  # fmt: skip

    def take(self, topic, key, payload):
        found = DEVICE_AND_SEQ.search(payload)
        if not found or found.group(1).decode() not in self.times:
            return  # of another test
        device, seq = found.group(1).decode(), int(found.group(2))
        if (
            key != device
            or payload != payload_of(device, seq)
            or topic != self.topics[self.kind(device, seq)]
        ):
            self.strange.append((topic, key, payload))
            return
        times = self.times[device]
        if seq not in times:
            if seq < self.last.get((device, topic), 0):
                self.out_of_order += 1
            self.last[(device, topic)] = max(seq, self.last.get((device, topic), 0))
        times[seq] = times.get(seq, 0) + 1

    @staticmethod
    def kind(device, seq):
        return topic_of(device, seq).replace(f"/{device}/", "/ID/")

    def seen(self):
        return sum(len(times) for times in self.times.values())

    def missing(self, of=None):
        """How many of the first `of` numbers of each device are not there; all that were sent."""
        of = of or self.load.sent
        return sum(
            1 for device in self.times for seq in range(1, of[device] + 1)
            if seq not in self.times[device]
        )  # fmt: skip

    def twice(self):
        return sum(n - 1 for times in self.times.values() for n in times.values())

    def verdict(self):
        return {
            "sent": self.load.total(),
            "missing": self.missing(),
            "twice": self.twice(),
            "strange": len(self.strange),
            "out of order": self.out_of_order,
        }
