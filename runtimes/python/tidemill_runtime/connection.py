"""One attached peer: the agent or a server."""
import socket
import struct
import threading

from .protocol import FrameReader

_READ_BYTES = 256 * 1024
# A peer that does not read for this long is taken for dead: the function must not wait for it for ever.
_SEND_TIMEOUT_SECONDS = 30


class Arriving:
    """A call whose payload is still arriving in chunks."""

    def __init__(self, header, first):
        self.header = header
        self.pieces = [first]
        self.size = len(first)

    def add(self, piece):
        """False when the peer sent more than it announced."""
        self.pieces.append(piece)
        self.size += len(piece)
        return self.size <= self.header['more']


class Connection:
    """A stream socket in blocking mode; any thread may send, one thread at a time receives."""

    def __init__(self, sock):
        self._socket = sock
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', _SEND_TIMEOUT_SECONDS, 0)
        )
        self._send_lock = threading.Lock()
        self._reader = FrameReader()
        self.fd = sock.fileno()
        self.open = True
        self.role = ''
        # Of the last call that brought some: the peer sends them only when they change.
        self.credentials = None
        self.arriving = {}
        # Frames read before the thread that handles them took the connection over.
        self.backlog = []

    def send(self, data):
        """Sends all or closes; a peer that is gone is no error."""
        if not self.open:
            return False
        try:
            with self._send_lock:
                self._socket.sendall(data)
            return True
        except OSError:
            self.close()
            return False

    def receive(self):
        """Frames that are there now; None when the peer is gone. Raises ProtocolError."""
        try:
            chunk = self._socket.recv(_READ_BYTES)
        except OSError:
            return None
        return self._reader.frames(chunk) if chunk else None

    def close(self):
        """Ends the traffic; the descriptor is released by `release`, once no thread polls it."""
        self.open = False
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def release(self):
        self.open = False
        self._socket.close()
