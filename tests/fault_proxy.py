"""A proxy before a real S3 server that loses, cuts, bends and refuses what a test tells it to."""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from threading import Lock
from typing import Literal

from tests.s3_stubs import Answer, Relay, serve

Fault = Literal[
    "none", "unreachable", "lose answer", "cut answer", "bend answer", "cut request", "bend request", "refuse"
]
FORBIDDEN = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>revoked</Message></Error>"


@dataclass(kw_only=True)
class FaultProxy:
    """Where the proxy listens, and which fault it makes of a request next."""

    endpoint: str = ""
    choose: Callable[[str, str], Fault] = lambda _method, _path: "none"
    """From method and path; called once for each request, also by many threads at once."""
    seen: list[tuple[str, str, Fault]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def fault_of(self, method: str, path: str) -> Fault:
        """Choose the fault of a request, and remember it."""
        with self.lock:
            fault = self.choose(method, path)
            self.seen.append((method, path, fault))
        return fault

    def make(self, fault: Fault, method: str, part: str, times: int = 1) -> None:
        """Make a fault of the next requests of a method whose path contains `part`, so many times."""
        left = [times]

        def choose(asked: str, path: str) -> Fault:
            if asked != method or part not in path or not left[0]:
                return "none"
            left[0] -= 1
            return fault

        self.choose = choose


@contextmanager
def stand_before(upstream: str) -> Generator[FaultProxy]:
    """Run a proxy before the server at `upstream` (host:port); without being told, it makes no fault."""
    told = FaultProxy()

    class Faulty(_Faulty):
        endpoint = upstream
        proxy = told

    with serve(Faulty) as told.endpoint:
        yield told


class _Faulty(Relay):
    proxy: FaultProxy
    fault: Fault = "none"

    def handle_any(self) -> None:
        self.fault = self.proxy.fault_of(self.command, self.path)
        if self.fault == "unreachable":
            self.hang_up()
        else:
            super().handle_any()

    def answer(self, body: bytes) -> Answer | None:
        if self.fault == "refuse":
            return 403, {"Content-Type": "application/xml"}, FORBIDDEN
        if self.fault == "cut request":
            self.ask_half(body)
            return None
        status, headers, data = self.ask(_bend(body) if self.fault == "bend request" else body)
        if self.fault == "cut answer":
            data = data[: len(data) // 2]
        elif self.fault == "bend answer":
            data = _bend(data)
        return None if self.fault == "lose answer" else (status, headers, data)

    def ask_half(self, body: bytes) -> None:
        """Send half of a request to the real server, and leave."""
        with closing(HTTPConnection(self.endpoint, timeout=5)) as connection:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(body[: len(body) // 2])


def _bend(data: bytes) -> bytes:
    """Return bytes with one bit in their middle turned over."""
    bent = bytearray(data)
    if bent:
        bent[len(bent) // 2] ^= 1
    return bytes(bent)
