"""An HTTP service of the shop, from its birth note to its last span."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping

from tracer.demo import environment, instrument, lifeline
from tracer.demo.environment import Birth
from tracer.demo.server import Route, control, http_server
from tracer.demo.switches import Switches

Action = Callable[[bool], None]


def serve(
    routes: Callable[[Birth, Switches], tuple[Route, ...]],
    faults: tuple[str, ...] = (),
    actions: Callable[[Birth], Mapping[str, Action]] = lambda birth: {},
) -> None:
    """Be an HTTP service until the end.

    `routes` are made once, before `ready`; the caller's start-up work belongs there.
    """
    birth = environment.read()
    switches = Switches(faults, actions(birth))
    table = (*routes(birth, switches), control(switches))
    flush = telemetry(birth)
    server = http_server(table, socket.socket(fileno=birth.listen_fd))
    answering = threading.Thread(target=server.serve_forever, args=(0.1,))
    answering.start()
    lifeline.ready()
    lifeline.wait_for_the_end()
    server.shutdown()
    answering.join()
    server.server_close()
    flush()


def telemetry(birth: Birth) -> Callable[[], None]:
    """Start exporting, if this process does; gives what sends the last spans."""
    if not birth.protocol:
        return lambda: None
    shutdown: Callable[[], None] = instrument.start(birth.protocol).shutdown
    return shutdown
