"""dicom_peer - a DICOM peer made of bytes: says what it is told to, right or wrong (PS3.8 9.3, PS3.7 6.3)."""
import socket
import struct

VERIFICATION = '1.2.840.10008.1.1'
MR = '1.2.840.10008.5.1.4.1.1.4'
IMPLICIT, EXPLICIT = '1.2.840.10008.1.2', '1.2.840.10008.1.2.1'


def item(kind, value):
    return struct.pack('>BBH', kind, 0, len(value)) + value


def command_element(element, value):
    return struct.pack('<HHI', 0, element, len(value)) + value


def command(elements):
    body = b''.join(command_element(e, v) for e, v in elements)
    return command_element(0, struct.pack('<I', len(body))) + body


def uid_value(uid):
    raw = uid.encode()
    return raw + b'\0' * (len(raw) % 2)


def us(value):
    return struct.pack('<H', value)


class Ended(Exception):
    """The node aborted or closed."""


class Peer:
    def __init__(self, port, contexts=((MR, (EXPLICIT,)),), called='HOLMIA', calling='PEER', connect_only=False):
        self.socket = socket.create_connection(('127.0.0.1', port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.accepted = {}   # context id -> transfer syntax
        self.results = []    # result of each context
        self.rejection = None
        self.contexts = contexts
        self.message = 0
        if not connect_only:
            self.associate(called, calling)

    def associate(self, called, calling):
        body = struct.pack('>HH', 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
        body += item(0x10, b'1.2.840.10008.3.1.1.1')
        for i, (sop_class, syntaxes) in enumerate(self.contexts):
            body += item(0x20, struct.pack('>BBBB', 2 * i + 1, 0, 0, 0) + item(0x30, sop_class.encode()) +
                         b''.join(item(0x40, s.encode()) for s in syntaxes))
        body += item(0x50, item(0x51, struct.pack('>I', 131072)) + item(0x52, b'2.25.1'))
        self.send_pdu(1, body)
        kind, answer = self.read_pdu()
        if kind == 3:
            self.rejection = tuple(answer[1:4])
            return
        at = 68
        while at < len(answer):
            length = struct.unpack_from('>H', answer, at + 2)[0]
            if answer[at] == 0x21:
                context, result = answer[at + 4], answer[at + 6]
                self.results.append(result)
                if result == 0:
                    self.accepted[context] = answer[at + 12:at + 4 + length].decode().rstrip('\0')
            if answer[at] == 0x50:
                self.max_pdu = struct.unpack_from('>I', answer, at + 8)[0]
            at += 4 + length

    def send(self, raw):
        try:
            self.socket.sendall(raw)
        except OSError:
            raise Ended()

    def send_pdu(self, kind, body):
        self.send(struct.pack('>BBI', kind, 0, len(body)) + body)

    def send_pdv(self, context, flags, data):
        self.send_pdu(4, struct.pack('>IBB', len(data) + 2, context, flags) + data)

    def read(self, size):
        data = b''
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionError:
                raise Ended()
            if not part:
                raise Ended()
            data += part
        return data

    def read_pdu(self):
        kind, length = struct.unpack('>BxI', self.read(6))
        body = self.read(length)
        if kind == 7:
            raise Ended()
        return kind, body

    def read_response(self):
        """Elements of a response's command set."""
        kind, body = self.read_pdu()
        if kind != 4:
            raise Ended()
        data, at, elements = body[6:], 0, {}
        while at < len(data):
            element, length = struct.unpack_from('<HI', data, at + 2)
            elements[element] = data[at + 8:at + 8 + length]
            at += 8 + length
        self.comment = elements.get(0x902, b'').decode().strip()
        return struct.unpack('<H', elements[0x900])[0]

    def echo(self, context=1):
        self.message += 1
        self.send_pdv(context, 3, command([(2, uid_value(VERIFICATION)), (0x100, us(0x30)), (0x110, us(self.message)),
                                           (0x800, us(0x101))]))
        return self.read_response()

    def send_store_command(self, sop_class, sop_instance, context=1, data_set=True):
        self.message += 1
        self.send_pdv(context, 3, command([(2, uid_value(sop_class)), (0x100, us(1)), (0x110, us(self.message)), (0x700, us(0)),
                                           (0x800, us(1 if data_set else 0x101)), (0x1000, uid_value(sop_instance))]))

    def store(self, sop_class, sop_instance, data, context=1, portion=100000):
        self.send_store_command(sop_class, sop_instance, context)
        at = 0
        while True:
            part = data[at:at + portion]
            at += portion
            self.send_pdv(context, 2 if at >= len(data) else 0, part)
            if at >= len(data):
                return self.read_response()

    def release(self):
        self.send_pdu(5, bytes(4))
        kind, _ = self.read_pdu()
        self.close()
        return kind == 6

    def close(self):
        self.socket.close()


def explicit(tag, vr, value):
    value += (b'\0' if vr in ('UI', 'OB') else b' ') * (len(value) % 2)
    head = struct.pack('<HH', tag >> 16, tag & 0xffff) + vr.encode()
    if vr in ('OB', 'OW', 'SQ', 'UN'):
        return head + struct.pack('<HI', 0, len(value)) + value
    return head + struct.pack('<H', len(value)) + value


def mr_data_set(sop_instance, sop_class=MR, size=131072, patient=b'LOOPBACK'):
    return (explicit(0x00080016, 'UI', sop_class.encode()) + explicit(0x00080018, 'UI', sop_instance.encode()) +
            explicit(0x00080060, 'CS', b'MR') + explicit(0x00100010, 'PN', b'Loop^Back') +
            explicit(0x00100020, 'LO', patient) + explicit(0x0020000d, 'UI', b'2.25.11') +
            explicit(0x0020000e, 'UI', b'2.25.12') + explicit(0x7fe00010, 'OW', bytes(size)))


def split_file(path):
    """SOP class, instance, transfer syntax and data set of a DICOM file; None where its meta header is unusable."""
    raw = open(path, 'rb').read()
    at, found = 132, {}
    if raw[128:132] != b'DICM':
        return None
    while at + 12 <= len(raw) and raw[at:at + 2] == b'\2\0':
        long_form = raw[at + 4:at + 6] in (b'OB', b'UN')
        length = struct.unpack_from('<I', raw, at + 8)[0] if long_form else struct.unpack_from('<H', raw, at + 6)[0]
        start = at + (12 if long_form else 8)
        found[raw[at + 2]] = raw[start:start + length].rstrip(b'\0 ').decode('latin-1')
        at = start + length
    if not all(found.get(e) for e in (2, 3, 0x10)) or at > len(raw):
        return None
    return found[2], found[3], found[0x10], raw[at:]


def log_records(path):
    """Durable records of a reception log: (kind, SOP Instance UID, data). Knows the format on its own (scp/reception_log_format.h)."""
    raw, at, records = open(path, 'rb').read(), 0, []
    while raw[at:at + 8] == b'HOLMREC\n':
        kind, size = struct.unpack_from('<IQ', raw, at + 12)
        end = at + 384 + (size + 7) // 8 * 8
        if raw[end:end + 8] != b'durable\n':
            break
        instance = raw[at + 48 + 72:at + 48 + 144].split(b'\0')[0].decode()
        records.append((kind, instance, raw[at + 384:at + 384 + size]))
        at = end + 8
    return records
