"""
The runtime's main thread: runs the function's code, one call at a time, and reads calls straight from the servers'
connections. Everything that must work while a call runs is the watcher's.
"""
import collections
import gc
import json
import logging
import os
import platform
import resource
import select
import threading
import time

from .connection import Arriving
from .context import make_context
from .errors import LoadError, error_payload, error_text
from .loader import apply_environment, load_handler
from .output import Output
from .protocol import (
    CHUNK_BYTES,
    ENDED,
    HELLO,
    INITIALIZE,
    INITIALIZED,
    INVOKE,
    CANCEL,
    LOAD,
    LOADED,
    MAX_RESULT_BYTES,
    PRE_STOPPED,
    REQUEST_CHUNK,
    RESULT_CHUNK,
    RESULT_STATUS,
    STALE,
    TRIMMED,
    ProtocolError,
    frame,
    json_frame,
    result_frame,
)
from .watcher import Watcher

_OK = RESULT_STATUS['ok']
_UNHANDLED = RESULT_STATUS['unhandled']
_CREDENTIAL_ENV = {
    'accessKeyId': 'ALIBABA_CLOUD_ACCESS_KEY_ID',
    'accessKeySecret': 'ALIBABA_CLOUD_ACCESS_KEY_SECRET',
    'securityToken': 'ALIBABA_CLOUD_SECURITY_TOKEN',
}


class Call:
    """The call that runs; `watchers` are later connections that were told that it is busy."""

    __slots__ = ('connection', 'stream', 'request_id', 'watchers')

    def __init__(self, connection, stream, request_id):
        self.connection = connection
        self.stream = stream
        self.request_id = request_id
        self.watchers = []


class Runtime:
    def __init__(self, listen_fd):
        # Guards what both threads touch: agents, highest epoch and the current call.
        self._lock = threading.Lock()
        self._agents = []
        self._highest_epoch = 0
        self._call = None
        self._load = None
        self._handler = None
        self.last_request_id = ''
        self._inbox = collections.deque()
        self._wake_read, self._wake_write = os.pipe()
        self._poll = select.poll()
        self._poll.register(self._wake_read, select.POLLIN)
        self._servers = {}
        self._output = Output(self)
        self._watcher = Watcher(listen_fd, self)

    def run(self):
        self._output.install()
        self._watcher.start()
        while True:
            for fd, _ in self._poll.poll():
                if fd == self._wake_read:
                    self._read_inbox()
                else:
                    self._read_server(self._servers[fd])

    # Called by the watcher's thread

    def attach(self, connection, attach):
        with self._lock:
            connection.role = attach['role']
            if connection.role == 'agent':
                self._agents.append(connection)
            else:
                self._highest_epoch = max(self._highest_epoch, attach['epoch'])
            busy = []
            if self._call is not None:
                busy.append(self._call.request_id)
                self._call.watchers.append(connection)
            state = 'booted' if self._handler is None else 'loaded'
            hello = {'protocol': 1, 'runtime': f'python {platform.python_version()}', 'state': state, 'busy': busy}
            connection.send(json_frame(HELLO, 0, hello))

    def adopt(self, connection):
        self._post(lambda: self._take_server(connection))

    def post_step(self, connection, kind, stream, request):
        self._post(lambda: self._run_step(connection, kind, stream, request))

    def post_trim(self, connection, stream):
        self._post(lambda: self._trim(connection, stream))

    def forget(self, connection):
        with self._lock:
            if connection in self._agents:
                self._agents.remove(connection)

    def _post(self, action):
        self._inbox.append(action)
        os.write(self._wake_write, b'x')

    # Called by any thread that prints

    def output_target(self):
        call = self._call
        if call is not None and call.connection.open:
            return call.connection, call.stream
        agents = self._agents
        return (agents[-1], 0) if agents else (None, 0)

    # Main thread

    def _read_inbox(self):
        os.read(self._wake_read, 4096)
        while self._inbox:
            self._inbox.popleft()()

    def _take_server(self, connection):
        self._servers[connection.fd] = connection
        self._poll.register(connection.fd, select.POLLIN)
        backlog, connection.backlog = connection.backlog, []
        self._handle_frames(connection, backlog)

    def _read_server(self, connection):
        try:
            frames = connection.receive()
            if frames is None:
                self._drop(connection)
            else:
                self._handle_frames(connection, frames)
        except (ProtocolError, ValueError, KeyError):
            self._drop(connection)

    def _drop(self, connection):
        self._poll.unregister(connection.fd)
        del self._servers[connection.fd]
        connection.release()

    def _handle_frames(self, connection, frames):
        for kind, stream, payload in frames:
            if kind == INVOKE:
                self._on_invoke(connection, stream, payload)
            elif kind == REQUEST_CHUNK:
                self._on_chunk(connection, stream, payload)
            elif kind == CANCEL:
                connection.arriving.pop(stream, None)
            else:
                raise ProtocolError(f'frame {kind:#x} from a server')

    def _on_invoke(self, connection, stream, payload):
        end = 2 + int.from_bytes(payload[:2], 'little')
        header = json.loads(payload[2:end])
        if 'c' in header:
            self._take_credentials(connection, header['c'])
        if 'more' in header:
            connection.arriving[stream] = Arriving(header, payload[end:])
        else:
            self._run_call(connection, stream, header, payload[end:])

    def _on_chunk(self, connection, stream, payload):
        arriving = connection.arriving.get(stream)
        if arriving is None:
            return  # cancelled meanwhile
        if payload:
            if not arriving.add(payload):
                raise ProtocolError('more payload than announced')
            return
        del connection.arriving[stream]
        self._run_call(connection, stream, arriving.header, b''.join(arriving.pieces))

    def _take_credentials(self, connection, credentials):
        """The environment follows when it held credentials, so that clients made later do not use expired ones."""
        connection.credentials = credentials
        if _CREDENTIAL_ENV['accessKeyId'] in os.environ:
            for field, name in _CREDENTIAL_ENV.items():
                os.environ[name] = credentials[field]

    def _run_call(self, connection, stream, header, event):
        call = Call(connection, stream, header['r'])
        with self._lock:
            if header['e'] < self._highest_epoch:
                call = None
            else:
                self._highest_epoch = header['e']
                self._call = call
        if call is None:
            connection.send(json_frame(STALE, stream, {}))
            return
        self.last_request_id = call.request_id
        status, body = self._result_of(connection, header, event)
        self._output.flush()
        self._send_result(connection, stream, status, body)
        with self._lock:
            self._call = None
        for watcher in call.watchers:
            watcher.send(json_frame(ENDED, 0, {'requestId': call.request_id}))

    def _result_of(self, connection, header, event):
        try:
            if self._handler is None:
                raise LoadError('NotLoaded', 'No function is loaded in this instance')
            context = make_context(self._load, header['r'], header['q'], header['n'], connection.credentials)
            body = _serialise(self._handler(event, context))
            if len(body) > MAX_RESULT_BYTES:
                # Said before a byte is on its way: an answer that has begun can only be broken off.
                message = f'The response payload exceeds the maximum allowed size ({MAX_RESULT_BYTES} bytes)'
                raise LoadError('ResponsePayloadTooLarge', message)
            return _OK, body
        except Exception as error:
            # The log gets it too: callers over HTTP see only a 502.
            logging.getLogger().error(error_text(error))
            payload = error.payload if isinstance(error, LoadError) else error_payload(error)
            return _UNHANDLED, json.dumps(payload, ensure_ascii=False).encode('utf-8', 'backslashreplace')

    def _send_result(self, connection, stream, status, body):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if len(body) <= CHUNK_BYTES:
            connection.send(result_frame(stream, status, 0, 0, peak, body))
            return
        connection.send(result_frame(stream, status, 1, 0, peak, body[:CHUNK_BYTES]))
        for at in range(CHUNK_BYTES, len(body), CHUNK_BYTES):
            if not connection.send(frame(RESULT_CHUNK, stream, body[at : at + CHUNK_BYTES])):
                return
        connection.send(frame(RESULT_CHUNK, stream, b''))

    def _run_step(self, connection, kind, stream, request):
        started = time.monotonic()
        self.last_request_id = request['requestId']
        answer = LOADED if kind == LOAD else INITIALIZED if kind == INITIALIZE else PRE_STOPPED
        outcome = {'ok': True}
        try:
            if kind == LOAD:
                self._load_function(request)
            else:
                hook = self._load['initializer' if kind == INITIALIZE else 'preStop']
                if 'credentials' in request:
                    self._take_credentials(connection, request['credentials'])
                load_handler(hook)(make_context(self._load, request['requestId'], '', 0, connection.credentials))
        except Exception as error:
            logging.getLogger().error(error_text(error))
            outcome = {'ok': False, 'error': error.payload if isinstance(error, LoadError) else error_payload(error)}
        self._output.flush()
        ms = round((time.monotonic() - started) * 1000, 3)
        connection.send(json_frame(answer, stream, {**outcome, 'ms': ms}))

    def _trim(self, connection, stream):
        import ctypes  # only here: it takes as long to import as some functions take to start

        gc.collect()
        try:
            ctypes.CDLL(None).malloc_trim(0)
        except (OSError, AttributeError):
            pass  # a C library without malloc_trim keeps what it has
        connection.send(json_frame(TRIMMED, stream, {}))

    def _load_function(self, load):
        self._load = load
        apply_environment(load['env'], load['codePath'])
        handler = load_handler(load['handler'])
        with self._lock:
            self._handler = handler


def _serialise(value):
    """Bytes and strings go out as they are, all else as JSON (FC reference 4.2)."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode('utf-8', 'surrogatepass')
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return json.dumps(value, default=_json_default, ensure_ascii=False).encode('utf-8', 'surrogatepass')


def _json_default(value):
    if type(value).__name__ == 'Decimal':
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f'Object of type {type(value).__name__} is not JSON serializable')
