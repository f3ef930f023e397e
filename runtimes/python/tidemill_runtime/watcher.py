"""
The thread that keeps the instance reachable while a call runs: accepts connections, answers ATTACH and hears the agent.
Connections of servers are handed to the main thread, which reads calls from them without a hop between threads.
"""
import json
import selectors
import socket
import threading

from .connection import Connection
from .protocol import ATTACH, INITIALIZE, LOAD, PRE_STOP, TRIM, ProtocolError


class Watcher:
    def __init__(self, listen_fd, runtime):
        self._runtime = runtime
        self._listener = socket.socket(fileno=listen_fd)
        self._listener.listen(128)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)

    def start(self):
        threading.Thread(target=self._run, name='tidemill-watcher', daemon=True).start()

    def _run(self):
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)

    def _accept(self):
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return  # the peer was gone again
        sock.setblocking(True)
        connection = Connection(sock)
        self._selector.register(connection.fd, selectors.EVENT_READ, connection)

    def _read(self, connection):
        try:
            frames = connection.receive()
            if frames is None:
                self._drop(connection)
                return
            for index, (kind, stream, payload) in enumerate(frames):
                self._handle(connection, kind, stream, payload)
                if connection.role == 'server':
                    connection.backlog = frames[index + 1 :]
                    self._selector.unregister(connection.fd)
                    self._runtime.adopt(connection)
                    return
        except (ProtocolError, ValueError, KeyError):
            self._drop(connection)

    def _handle(self, connection, kind, stream, payload):
        if kind == ATTACH:
            self._runtime.attach(connection, json.loads(payload))
        elif connection.role == 'agent' and kind in (LOAD, INITIALIZE, PRE_STOP):
            self._runtime.post_step(connection, kind, stream, json.loads(payload))
        elif connection.role == 'agent' and kind == TRIM:
            self._runtime.post_trim(connection, stream)
        else:
            raise ProtocolError(f'frame {kind:#x} on a connection of {connection.role or "nobody"}')

    def _drop(self, connection):
        self._selector.unregister(connection.fd)
        self._runtime.forget(connection)
        connection.release()
