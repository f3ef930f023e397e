"""What the function prints and logs, as OUTPUT frames of the call that runs."""
import codecs
import io
import logging
import os
import sys
import threading
import time

from .protocol import MAX_FRAME_BYTES, OUTPUT, frame

# Longest text of one frame, in characters: at most four bytes each.
_PIECE_CHARACTERS = MAX_FRAME_BYTES // 4


class Output:
    """
    Takes the text of both standard streams. Lines are written through at once, so that nothing that was printed before a
    crash is lost; an unfinished line waits for its end, a flush or the end of the call. Text outside calls goes to the
    agent, and where no peer is left (or in a forked child) to descriptor 1, which the sandbox keeps.
    """

    def __init__(self, runtime):
        self._runtime = runtime
        self._lock = threading.RLock()
        self._partial = ''
        self._forked = False

    def install(self):
        sys.stdout = TextStream(self, 1)
        sys.stderr = TextStream(self, 2)
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(RequestFormatter(self._runtime))
        root = logging.getLogger()
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        os.register_at_fork(after_in_child=self._after_fork)

    def write(self, text):
        with self._lock:
            text = self._partial + text
            end = text.rfind('\n') + 1
            self._partial = text[end:]
            if end:
                self._emit(text[:end])

    def flush(self):
        with self._lock:
            text, self._partial = self._partial, ''
            if text:
                self._emit(text)

    def _emit(self, text):
        for start in range(0, len(text), _PIECE_CHARACTERS):
            self._emit_piece(text[start : start + _PIECE_CHARACTERS].encode('utf-8', 'backslashreplace'))

    def _emit_piece(self, data):
        if not self._forked:
            connection, stream = self._runtime.output_target()
            if connection is not None and connection.send(frame(OUTPUT, stream, data)):
                return
        while data:
            data = data[os.write(1, data) :]

    def _after_fork(self):
        # The connections belong to the parent: two writers would tear each other's frames.
        self._forked = True
        self._partial = ''
        self._lock = threading.RLock()


class TextStream(io.TextIOBase):
    """Stands in for sys.stdout and sys.stderr."""

    encoding = 'utf-8'
    errors = 'backslashreplace'

    def __init__(self, output, fd):
        super().__init__()
        self._output = output
        self._fd = fd
        self.buffer = ByteStream(self, output)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f'write() argument must be str, not {type(text).__name__}')
        self._output.write(text)
        return len(text)

    def flush(self):
        self._output.flush()

    def fileno(self):
        return self._fd

    def writable(self):
        return True

    def isatty(self):
        return False


class ByteStream(io.RawIOBase):
    """`sys.stdout.buffer`: bytes that may end within a character."""

    def __init__(self, text_stream, output):
        super().__init__()
        self._text_stream = text_stream
        self._output = output
        self._decoder = codecs.getincrementaldecoder('utf-8')('backslashreplace')

    def write(self, data):
        self._output.write(self._decoder.decode(bytes(data)))
        return len(data)

    def flush(self):
        self._output.flush()

    def fileno(self):
        return self._text_stream.fileno()

    def writable(self):
        return True


class RequestFormatter(logging.Formatter):
    """`2017-07-05T05:13:35.920Z <requestId> [INFO] message`, always UTC (FC reference 4.2)."""

    converter = time.gmtime

    def __init__(self, runtime):
        super().__init__('%(asctime)s.%(msecs)03dZ %(fc_request_id)s [%(levelname)s] %(message)s', '%Y-%m-%dT%H:%M:%S')
        self._runtime = runtime

    def format(self, record):
        record.fc_request_id = self._runtime.last_request_id
        return super().format(record)
