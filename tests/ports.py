"""Ports for the servers of tests, which nobody else is given before the server has started."""

from __future__ import annotations

import itertools
import os
import socket

# Below what systems hand out for connections (Linux: from 32768, else from 49152), and each worker
# begins elsewhere: a port of that range was taken by a client while its server still started.
_NUMBERS = itertools.count(20_000 + os.getpid() % 40 * 250)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on; no process gets the same twice."""
    for number in _NUMBERS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
        return number
    raise AssertionError("itertools.count ended")
