"""Mirror of src/core/protocol/runtime-frames.ts and frame-codec.ts; test/core/protocol checks that both agree."""
import json
import struct

FRAME_HEADER_BYTES = 9
CHUNK_BYTES = 256 * 1024
MAX_FRAME_BYTES = 1024 * 1024
# `responsePayloadBytes` of src/core/domain/limits.ts.
MAX_RESULT_BYTES = 32 * 1024 * 1024
RESULT_HEADER_BYTES = 8

FRAME = {
    'attach': 0x01,
    'load': 0x02,
    'initialize': 0x03,
    'invoke': 0x04,
    'requestChunk': 0x05,
    'cancel': 0x06,
    'preStop': 0x07,
    'trim': 0x08,
    'revoke': 0x09,
    'hello': 0x41,
    'loaded': 0x42,
    'initialized': 0x43,
    'output': 0x44,
    'result': 0x45,
    'resultChunk': 0x46,
    'preStopped': 0x47,
    'stale': 0x48,
    'ended': 0x49,
    'trimmed': 0x4a,
    'revoked': 0x4b,
}
RESULT_STATUS = {'ok': 0, 'handled': 1, 'unhandled': 2}
RESULT_FLAG = {'exits': 1, 'quick': 2}

ATTACH = FRAME['attach']
LOAD = FRAME['load']
INITIALIZE = FRAME['initialize']
INVOKE = FRAME['invoke']
REQUEST_CHUNK = FRAME['requestChunk']
CANCEL = FRAME['cancel']
PRE_STOP = FRAME['preStop']
TRIM = FRAME['trim']
TRIMMED = FRAME['trimmed']
HELLO = FRAME['hello']
LOADED = FRAME['loaded']
INITIALIZED = FRAME['initialized']
OUTPUT = FRAME['output']
RESULT = FRAME['result']
RESULT_CHUNK = FRAME['resultChunk']
PRE_STOPPED = FRAME['preStopped']
STALE = FRAME['stale']
ENDED = FRAME['ended']

_HEADER = struct.Struct('<IBI')
_RESULT = struct.Struct('<IBIBBHI')


class ProtocolError(Exception):
    """The peer does not speak this protocol; its connection is closed."""


def frame(kind, stream, payload):
    return _HEADER.pack(len(payload), kind, stream) + payload


def json_frame(kind, stream, value):
    return frame(kind, stream, json.dumps(value).encode())


def result_frame(stream, status, more, flags, peak_kib, body):
    head = _RESULT.pack(RESULT_HEADER_BYTES + len(body), RESULT, stream, status, more, flags, peak_kib)
    return head + body


class FrameReader:
    """Cuts a byte stream into frames."""

    def __init__(self):
        self._rest = b''

    def frames(self, chunk):
        """The whole frames that `chunk` completes, as (type, stream, payload)."""
        data = self._rest + chunk if self._rest else chunk
        found = []
        offset = 0
        size = len(data)
        while size - offset >= FRAME_HEADER_BYTES:
            length, kind, stream = _HEADER.unpack_from(data, offset)
            if length > MAX_FRAME_BYTES:
                raise ProtocolError(f'frame of {length} bytes')
            end = offset + FRAME_HEADER_BYTES + length
            if end > size:
                break
            found.append((kind, stream, data[offset + FRAME_HEADER_BYTES : end]))
            offset = end
        self._rest = data[offset:]
        return found
