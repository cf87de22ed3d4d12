"""MQTT byte by byte: what a client library would never send, and answers as they came."""
import json
import socket
import ssl
import struct

CONNACK, PUBLISH, PUBACK, SUBACK, DISCONNECT = 2, 3, 4, 9, 14


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return struct.pack(">H", len(data)) + data


def length(n):
    out = bytearray()
    while True:
        n, digit = divmod(n, 128)
        out.append(digit | (0x80 if n else 0))
        if not n:
            return bytes(out)


def packet(first, body):
    return bytes([first]) + length(len(body)) + body


class Closed(Exception):
    """The broker ended the connection; `reason`: of its DISCONNECT, where it sent one."""

    def __init__(self, reason=None):
        super().__init__(f"closed by the broker (reason {reason})")
        self.reason = reason


class Wire:
    """One connection. `credentials`: (ca, certificate, key), the latter two may be None; None: no TLS."""

    def __init__(self, port, credentials, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if credentials:
            ca, certificate, key = credentials
            context = ssl.create_default_context(cafile=ca)
            if certificate:
                context.load_cert_chain(certificate, key)
            try:
                self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
            except BaseException:
                self.socket.close()
                raise
        self.version = 5
        self.next_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.socket.close()
        except OSError:
            pass

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ssl.SSLError, ConnectionError) as error:
            raise Closed() from error

    def exactly(self, n):
        data = b""
        while len(data) < n:
            try:
                part = self.socket.recv(n - len(data))
            except (ssl.SSLError, ConnectionError) as error:
                raise Closed() from error
            if not part:
                raise Closed()
            data += part
        return data

    def receive(self):
        """(kind, first byte, body) of the next packet."""
        first = self.exactly(1)[0]
        size, shift = 0, 0
        while True:
            digit = self.exactly(1)[0]
            size |= (digit & 127) << shift
            shift += 7
            if not digit & 128:
                break
        body = self.exactly(size)
        if first >> 4 == DISCONNECT:
            raise Closed(body[0] if body else 0)
        return first >> 4, first, body

    def expect(self, kind):
        while True:
            got, _, body = self.receive()
            if got == kind:
                return body

    def connect(self, identity, version=5, keep_alive=60):
        """The CONNACK's reason code."""
        self.version = version
        properties = b"\0" if version == 5 else b""
        self.send(packet(0x10, text("MQTT") + bytes([version, 2]) + struct.pack(">H", keep_alive)
                         + properties + text(identity)))  # fmt: skip
        return self.expect(CONNACK)[1]

    def start_publish(self, topic, payload, qos=1):
        self.next_id = self.next_id % 65535 + 1
        body = text(topic) + (struct.pack(">H", self.next_id) if qos else b"")
        body += b"\0" if self.version == 5 else b""
        self.send(packet(0x30 | qos << 1, body + (payload if isinstance(payload, bytes) else payload.encode())))
        return self.next_id

    def publish(self, topic, payload):
        """QoS 1; the PUBACK's reason code."""
        identity = self.start_publish(topic, payload)
        while True:
            body = self.expect(PUBACK)
            if struct.unpack(">H", body[:2])[0] == identity:
                return body[2] if len(body) > 2 else 0

    def subscribe(self, topic, qos=1):
        """The SUBACK's reason code."""
        properties = b"\0" if self.version == 5 else b""
        self.send(packet(0x82, struct.pack(">H", 1) + properties + text(topic) + bytes([qos])))
        return self.expect(SUBACK)[-1]

    def ended(self):
        """True once the broker has ended the connection, within the socket's time-out."""
        try:
            while True:
                self.receive()
        except Closed:
            return True
        except TimeoutError:
            return False


def reading(device, seq, boot=1, **more):
    return json.dumps({"deviceID": device, "current": 0.5, "temperature": 30.0, "vibration": 0.1,
                       "sound": 0.2, "fft_data": "true", "boot": boot, "seq": seq, **more})  # fmt: skip
