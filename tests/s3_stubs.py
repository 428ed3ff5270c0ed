"""Servers of our own making, before a real S3 server or instead of one, that do what networks and servers do.

`tests.fault_proxy` is one of them, too, which a test can tell what to do while it runs.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from ssl import SSLContext
from threading import Thread

from minio.credentials.providers import StaticProvider
from urllib3 import PoolManager, Timeout

from storage.s3 import S3Store
from tests.servers import S3Server

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body; a `Content-Length` among the headers stands, whatever the body is."""
HOP_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Stub(BaseHTTPRequestHandler):
    """A server that answers every method in one way."""

    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        """Read the request and answer it, or hang up."""
        answer = self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if not answer:
            self.hang_up()
            return
        status, headers, data = answer
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
            if len(data) < int(headers.get("Content-Length", 0)):
                self.hang_up()

    def answer(self, body: bytes) -> Answer | None:
        """Choose status, headers and body, or None to hang up."""
        raise NotImplementedError

    def hang_up(self) -> None:
        """End the connection."""
        self.close_connection = True
        self.connection.shutdown(SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""

    def do_any(self) -> None:
        """Leave it to a subclass what any method does."""
        self.handle_any()

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = do_any  # noqa: N815


class Relay(Stub):
    """A server that hands everything on to a real one.

    Requests pass with their signature: the host that was signed is ours, and the real server believes what it is told.
    """

    endpoint: str
    pool = PoolManager(maxsize=32, timeout=Timeout(connect=5, read=60), retries=False)

    def answer(self, body: bytes) -> Answer | None:
        """Ask the real server."""
        return self.ask(body)

    def ask(self, body: bytes) -> Answer:
        """Return what the real server answers."""
        url, headers = f"http://{self.endpoint}{self.path}", dict(self.headers.items())
        response = self.pool.request(self.command, url, body=body, headers=headers)
        answered = {name: value for name, value in response.headers.items() if name.lower() not in HOP_HEADERS}
        length = response.headers.get("Content-Length", str(len(response.data)))  # a HEAD has one, and no body
        return response.status, answered | {"Content-Length": length}, response.data


def forgetful(real: str) -> type[Stub]:
    """Drop the conditions of requests."""

    class Forgetful(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            del self.headers["If-None-Match"]
            return self.ask(body)

    return Forgetful


def losing(real: str, method: str, part_of_path: str) -> type[Stub]:
    """Lose the answer to what is asked with one method of some paths."""

    class Losing(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer | None:
            answer = self.ask(body)
            return None if self.command == method and part_of_path in self.path else answer

    return Losing


def refusing(real: str, is_refused: Callable[[str, str], bool]) -> type[Stub]:
    """Be out of order for some methods of some paths."""

    class Refusing(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            if is_refused(self.command, self.path):
                return 500, {"Content-Type": "application/xml"}, b"<Error><Code>InternalError</Code></Error>"
            return self.ask(body)

    return Refusing


def meddling(real: str, meddle: Callable[[str, bytes], bytes]) -> type[Stub]:
    """Let something happen to the body of every put on its way."""

    class Meddling(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            return self.ask(meddle(self.path, body) if self.command == "PUT" else body)

    return Meddling


def aging(real: str, age: timedelta) -> type[Stub]:
    """Say of every object that it is as old as this."""

    class Aging(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            status, headers, data = self.ask(body)
            if "Last-Modified" in headers:
                headers["Last-Modified"] = format_datetime(datetime.now(UTC) - age, usegmt=True)
            return status, headers, data

    return Aging


def always(status: int, media_type: str, data: bytes) -> type[Stub]:
    """Answer everything alike."""

    class Always(Stub):
        def answer(self, body: bytes) -> Answer:
            del body
            return status, {"Content-Type": media_type}, data

    return Always


@contextmanager
def serve(stub: type[Stub], tls: SSLContext | None = None) -> Generator[str]:
    """Run a stub, over TLS if it is told how, and give its endpoint."""
    with ThreadingHTTPServer(("127.0.0.1", 0), stub) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def store_at(endpoint: str, bucket_prefix: str, secret_key: str = S3Server.secret_key) -> S3Store:
    """Make a store with the test server's credentials."""
    provider = StaticProvider(S3Server.access_key, secret_key)
    return S3Store(endpoint, bucket_prefix=bucket_prefix, region="us-east-1", is_secure=False, credentials=provider)
