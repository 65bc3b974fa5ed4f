"""A wire between a client and a server that can be cut, or lose an answer. Bytes pass unread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class Wire:
    """Listens on `port` and passes every connection on to `target`."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._changing = threading.Lock()
        self._losing = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.lost = 0  # answers
        self._cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_answers(self, count: int) -> None:
        """The next `count` answers never arrive: their connection ends when they begin."""
        with self._changing:
            self._losing = count

    def cut(self) -> None:
        """Ends every connection; new ones end at once."""
        with self._changing:
            self._cut = True
        self._end_all()

    def mend(self) -> None:
        """New connections pass again."""
        with self._changing:
            self._cut = False

    def close(self) -> None:
        """Ends everything."""
        self._listener.close()
        self._end_all()

    def _end_all(self) -> None:
        with self._changing:
            ended, self._open = self._open, set()
        for one in ended:
            _end(one)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                with self._changing:
                    is_cut = self._cut
                if is_cut:
                    _end(near)
                    continue
                far = socket.create_connection(self._target)
                with self._changing:
                    self._open |= {near, far}
                threading.Thread(target=self._pass, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(far, near, True), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                if is_answer and self._loses():
                    break
                sink.sendall(piece)
        _end(source)
        _end(sink)

    def _loses(self) -> bool:
        with self._changing:
            if not self._losing:
                return False
            self._losing -= 1
            self.lost += 1
            return True


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextlib.contextmanager
def wire(target: tuple[str, int]) -> Iterator[Wire]:
    """A wire for the length of a `with` block."""
    passing = Wire(target)
    try:
        yield passing
    finally:
        passing.close()
