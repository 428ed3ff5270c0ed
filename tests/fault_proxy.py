"""A proxy before a real S3 server that loses, cuts, bends and refuses what a test tells it to.

Requests pass with their signature: the host that was signed is the proxy's, and the server believes what it is told.
"""

from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from threading import Lock, Thread
from typing import Literal

from urllib3 import BaseHTTPResponse, PoolManager, Timeout

Fault = Literal[
    "none", "unreachable", "lose answer", "cut answer", "bend answer", "cut request", "bend request", "refuse"
]
HOP_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
FORBIDDEN = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>revoked</Message></Error>"


@dataclass(kw_only=True)
class FaultProxy:
    """Where the proxy listens, and which fault it makes of a request next."""

    endpoint: str
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
    pool = PoolManager(maxsize=32, timeout=Timeout(connect=5, read=60), retries=False)
    proxy = FaultProxy(endpoint="")

    class Handler(_Handler):
        def forward(self, body: bytes) -> BaseHTTPResponse:
            headers = dict(self.headers.items())
            return pool.request(
                self.command, f"http://{upstream}{self.path}", body=body, headers=headers, preload_content=True
            )

        def forward_half(self, body: bytes) -> None:
            with closing(HTTPConnection(upstream, timeout=5)) as connection:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body[: len(body) // 2])

        def fault(self) -> Fault:
            return proxy.fault_of(self.command, self.path)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        proxy.endpoint = f"127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def forward(self, body: bytes) -> BaseHTTPResponse:
        raise NotImplementedError

    def forward_half(self, body: bytes) -> None:
        raise NotImplementedError

    def fault(self) -> Fault:
        raise NotImplementedError

    def handle_any(self) -> None:
        fault = self.fault()
        if fault == "unreachable":
            self._hang_up()
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if fault == "refuse":
            self._answer(403, {"Content-Type": "application/xml"}, FORBIDDEN, len(FORBIDDEN))
            return
        if fault == "cut request":
            self.forward_half(body)
            self._hang_up()
            return
        response = self.forward(_bend(body) if fault == "bend request" else body)
        if fault == "lose answer":
            self._hang_up()
            return
        length = int(response.headers.get("Content-Length", len(response.data)))
        data = response.data
        if fault in {"cut answer", "bend answer"}:
            data = _bend(data) if fault == "bend answer" else data[: len(data) // 2]
        headers = {name: value for name, value in response.headers.items() if name.lower() not in HOP_HEADERS}
        self._answer(response.status, headers, data, length)
        if fault == "cut answer":
            self._hang_up()

    def _answer(self, status: int, headers: dict[str, str], data: bytes, length: int) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
            self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815


def _bend(data: bytes) -> bytes:
    """Return bytes with one bit in their middle turned over."""
    bent = bytearray(data)
    if bent:
        bent[len(bent) // 2] ^= 1
    return bytes(bent)
