"""Hostile devices at the real gate, over real TLS: each is refused, and an honest one goes on."""
import pathlib
import re
import resource
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from gate_site import GateSite
from mqtt_wire import Closed, Wire, packet, length, reading, text
from stator_site import LONG, wait_until

DATA = "shaded-pole-motor-sensor_data"
NOT_AUTHORISED = 0x87
REFUSED = 0x80  # and above; below are successes, such as 0x10: nobody has subscribed


class Honest(threading.Thread):
    """Publishes a reading after the other, each after the acknowledgement of the last."""

    def __init__(self, site, seconds_apart=0.005):
        super().__init__(daemon=True)
        self.seconds_apart = seconds_apart
        self.wire = site.joined("honest")
        self.acknowledged = 0
        self.failure = None
        self.wanted = True

    def run(self):
        try:
            while self.wanted:
                code = self.wire.publish(DATA, reading("honest", self.acknowledged + 1))
                if code >= REFUSED:
                    raise AssertionError(f"an honest reading was refused: {code:#x}")
                self.acknowledged += 1
                time.sleep(self.seconds_apart)
        except BaseException as error:
            self.failure = error

    def goes_on(self):
        before = self.acknowledged
        wait_until("the honest device's next readings", lambda: self.failure or self.acknowledged > before + 5, 30)
        if self.failure:
            raise AssertionError("the honest device suffered") from self.failure


class Hostile(unittest.TestCase):
    seq = 0

    @classmethod
    def setUpClass(cls):
        cls.site = GateSite()
        cls.addClassCleanup(cls.site.stop)
        for name in ("honest", "liar", "other"):
            cls.site.add(name)
        cls.folder = tempfile.TemporaryDirectory(prefix="stator-hostile-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.honest = Honest(cls.site)
        cls.honest.start()
        cls.pid = cls.site.broker_pid()

    @classmethod
    def tearDownClass(cls):
        cls.honest.wanted = False
        cls.honest.join(30)
        cls.honest.wire.close()

    def tearDown(self):
        self.honest.goes_on()
        self.assertEqual(self.site.broker_pid(), self.pid, "the broker was never restarted")

    def refusals(self, reason):
        return self.site.metric("stator_gate_refusals_total", f'reason="{reason}"')

    def next_seq(self):
        type(self).seq += 1
        return self.seq

    def counted(self, reason, before):
        wait_until(f"the metric of {reason}", lambda: self.refusals(reason) > before, 10)

    def assert_refused(self, topic, payload, reason):
        """0x87 under MQTT 5; under 3.1.1 no acknowledgement, but the connection's end."""
        before = self.refusals(reason)
        with self.site.joined("liar") as wire:
            self.assertEqual(wire.publish(topic, payload), NOT_AUTHORISED)
            self.assertLess(wire.publish(DATA, reading("liar", self.next_seq())), REFUSED, "it may go on")
        with self.site.joined("liar", version=4) as wire:
            with self.assertRaises(Closed):
                wire.publish(topic, payload)
        self.counted(reason, before)
        self.assertRegex(self.site.broker_words(), rf"refused liar \(sensor\) on \S+: {reason}\b")
        whole = payload.decode(errors="replace") if isinstance(payload, bytes) else payload
        for log_class in ("waveform", "telemetry", "alarm", "control"):
            stored = [line.split(" ", 4)[-1] for line in self.site.log(log_class)]
            self.assertFalse(whole in stored, f"what was refused is in the {log_class} log: {whole[:80]}")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=self.folder.name, check=True, capture_output=True)

    def made_by_hand(self, name, ca, ca_key, dates=None):
        """A certificate for `name` with the sensor's URI, of any CA, valid between `dates`."""
        folder = pathlib.Path(self.folder.name)
        key, request, made = (folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", key, "-out", request, "-subj", f"/CN={name}")  # fmt: skip
        (folder / "index").write_text("")
        (folder / "serial").write_text(f"{time.time_ns():024X}\n")
        (folder / "ca.conf").write_text(
            "[ca]\ndefault_ca=it\n[it]\ndatabase=index\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
            "policy=any\nx509_extensions=ext\nunique_subject=no\n[any]\ncommonName=supplied\n"
            f"[ext]\nsubjectAltName=URI:urn:stator:sensor:{name}\nextendedKeyUsage=clientAuth\n"
        )
        valid = ["-startdate", dates[0], "-enddate", dates[1]] if dates else ["-days", "2"]
        self.openssl("ca", "-batch", "-config", "ca.conf", "-in", request, "-out", made, "-notext",
                     "-cert", ca, "-keyfile", ca_key, *valid)  # fmt: skip
        return self.site.ca(), made, key

    def assert_no_entry(self, credentials, name):
        with self.assertRaises((Closed, ssl.SSLError, ConnectionError)):
            with self.site.wire(credentials) as wire:
                code = wire.connect(name)  # TLS 1.3 says it at the first read
                self.assertNotEqual(code, 0, f"{name} was let in")
                raise Closed(code)

    def test_topics_that_are_not_its_own(self):
        for topic, payload in (
            ("stator/devices/other/event", '{"deviceID":"other","event":"started","boot":1,"seq":1}'),
            ("stator/devices/other/waveform", '{"deviceID":"other","boot":1,"seq":1,"counts":""}'),
            ("stator/devices/liar/stored", '{"boot":9,"seq":9}'),
            ("stator/presence/other", '{"deviceID":"other","state":"offline"}'),
            ("control-message", '{"command":"download-model","payload":"x"}'),
            ("motor-failure-alert-level2-inference", reading("liar", 1, boot=77)),
            ("anything/else", reading("liar", 2, boot=77)),
        ):
            with self.subTest(topic=topic):
                self.assert_refused(topic, payload, "topic")

    def test_a_payload_that_speaks_for_another(self):
        self.assert_refused(DATA, reading("other", 77), "device")
        self.assert_refused("stator/devices/liar/waveform",
                            '{"deviceID":"other","boot":1,"seq":78,"counts":""}', "device")

    def test_payloads_that_are_no_message(self):
        for payload in (
            '{"deviceID":"liar","current":',
            '{"deviceID":"liar"} and more',
            '{"deviceID":"liar","deviceID":"other","seq":5,"boot":1}',
            "[1,2,3]",
            b'{"deviceID":"liar","note":"\xff\xfe"}',
            "[" * 5000,
            "",
        ):
            with self.subTest(payload=payload[:40]):
                self.assert_refused(DATA, payload, "payload")

    def test_a_topic_that_is_not_utf8_ends_the_connection(self):
        for topic in (b"\xff\xfe", b"a\0b", b"\xed\xa0\x80"):
            with self.site.joined("liar") as wire:
                body = text(topic) + b"\0\1\0" + b"{}"
                wire.send(packet(0x32, body))
                self.assertTrue(wire.ended(), topic)

    def test_subscriptions_that_would_hear_others(self):
        for version in (4, 5):
            for topic in ("#", "+", "stator/#", "stator/devices/+/command", "stator/devices/other/command",
                          "$share/group/#", "$SYS/#", DATA):  # fmt: skip
                with self.site.joined("liar", version) as wire:
                    self.assertGreaterEqual(wire.subscribe(topic), 0x80, topic)
        with self.site.joined("liar") as wire:
            self.assertEqual(wire.subscribe("stator/devices/liar/command"), 1, "its own it may")

    def test_certificates_that_do_not_count(self):
        own = pathlib.Path(self.folder.name)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", "own.key", "-out", "own.pem", "-days", "2", "-subj", "/CN=own")  # fmt: skip
        self.assert_no_entry(self.made_by_hand("liar", own / "own.pem", own / "own.key"), "liar")
        pki = self.site.state / "pki"
        past = ("20200101000000Z", "20200201000000Z")
        future = ("20990101000000Z", "20990201000000Z")
        for dates in (past, future):
            self.assert_no_entry(self.made_by_hand("liar", pki / "ca.pem", pki / "ca.key", dates), "liar")
        self.assert_no_entry((self.site.ca(), None, None), "liar")
        good = self.made_by_hand("liar", pki / "ca.pem", pki / "ca.key")
        with self.site.wire(good) as wire:
            self.assertEqual(wire.connect("liar"), 0, "the way the others were made is right")

    def test_anothers_client_id_is_not_taken_over(self):
        before = self.honest.acknowledged
        for _ in range(20):
            self.assert_no_entry(self.site.credentials("liar"), "honest")
            self.assert_no_entry(self.site.credentials("liar"), "console")
        self.assertGreater(self.honest.acknowledged, before)
        self.assertIsNone(self.honest.failure)

    def test_a_revoked_device_is_cut_off_at_once_and_for_good(self):
        self.site.add("thief")
        with self.site.joined("thief") as wire:
            self.assertLess(wire.publish(DATA, reading("thief", 1)), REFUSED)
            self.site.stator("device", "revoke", "thief")
            revoked = time.monotonic()
            self.assertTrue(wire.ended())
            print(f"a revoked device was cut off {time.monotonic() - revoked:.2f} s after the verb")
        self.assert_no_entry(self.site.credentials("thief"), "thief")

    def test_200_megabytes_are_not_swallowed(self):
        def resident():
            status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) * 1024

        before = resident()
        total = 200 << 20
        with self.site.joined("liar") as wire:
            head = text(DATA) + b"\0\1\0"
            with self.assertRaises(Closed):
                wire.send(bytes([0x32]) + length(total) + head)
                chunk = b"x" * 65536
                for _ in range((total - len(head)) // len(chunk)):
                    wire.send(chunk)
                wire.receive()
        self.assertLess(resident() - before, 16 << 20, "the broker kept what it refused")

    def test_a_payload_over_the_limit(self):
        self.assert_refused(DATA, reading("liar", 3, note="x" * 70_000), "too-large")

    def test_a_flood_of_connections_is_refused_and_said_once(self):
        seconds = 60 if LONG else 3
        rate = 10_000 / 60
        lines = self.site.broker_words().count('connection of "flood"')
        before = self.refusals("certificate") + self.refusals("id") + self.refusals("inactive")
        began = time.monotonic()
        sent = 0
        plain = self.site.ports()["mqtt"]
        credentials = self.site.credentials("liar")
        while time.monotonic() - began < seconds:
            if sent > (time.monotonic() - began) * rate:
                time.sleep(0.002)
                continue
            sent += 1
            try:
                # The listener without TLS bears the number; a handshake each time would measure ours.
                over_tls = sent % 50 == 0
                wire = self.site.wire(credentials) if over_tls else Wire(plain, None)
                with wire:
                    self.assertNotEqual(wire.connect("flood"), 0)
            except (Closed, ConnectionError, ssl.SSLError):
                pass
        acknowledged = self.honest.acknowledged
        wait_until(
            "the refusals' metric",
            lambda: self.refusals("certificate") + self.refusals("id") + self.refusals("inactive") - before >= sent,
            20,
        )
        said = self.site.broker_words().count('connection of "flood"') - lines
        self.assertGreaterEqual(said, 1)
        # With a certificate of another's it is refused for its id, without one for that.
        reasons = 2
        self.assertLessEqual(said, reasons * (1 + seconds // 10), "one line in ten seconds about one id and reason")
        print(f"{sent} connections in {seconds} s refused, {said} lines about it, "
              f"{acknowledged} honest readings acknowledged so far")  # fmt: skip

    def test_what_was_acknowledged_to_the_honest_is_in_the_log(self):
        count = self.honest.acknowledged
        stored = self.site.sequences()
        missing = [n for n in range(1, count + 1) if ("honest", 1, n) not in stored]
        self.assertEqual(missing, [])


class TooFast(unittest.TestCase):
    def test_who_floods_is_cut_off_counted_and_named_and_nobody_else_suffers(self):
        with GateSite(settings={"gate.rate_per_s": 20}) as site:
            for name in ("honest", "liar"):
                site.add(name)
            honest = Honest(site, seconds_apart=0.2)
            honest.start()
            acknowledged = 0
            with site.joined("liar", version=4) as wire:
                with self.assertRaises(Closed):
                    for number in range(1, 2001):
                        wire.publish(DATA, reading("liar", number))
                        acknowledged = number
            self.assertGreaterEqual(acknowledged, 20)
            refused = wait_until(
                "the metric", lambda: site.metric("stator_gate_refusals_total", 'reason="rate"'), 10
            )
            self.assertGreaterEqual(refused, 1)
            self.assertEqual(len(re.findall(r"refused liar \(sensor\) on \S+: rate\b", site.broker_words())), 1)
            honest.goes_on()
            honest.wanted = False
            honest.join(30)
            honest.wire.close()
            stored = site.sequences()
            missing = [n for n in range(1, acknowledged + 1) if ("liar", 1, n) not in stored]
            self.assertEqual(missing, [], "what was acknowledged before the limit is stored")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    unittest.main()
