"""Servers of our own making, before a real S3 server or instead of one, that do what networks and servers do."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR
from threading import Thread

from minio.credentials.providers import StaticProvider
from urllib3 import PoolManager

from storage.s3 import S3Store
from tests.seaweed import SeaweedServer

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


class Stub(BaseHTTPRequestHandler):
    """A server that answers every method in one way."""

    def handle_any(self) -> None:
        """Read the request and answer it."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, data = self.answer(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def answer(self, body: bytes) -> Answer:
        """Choose status, headers and body."""
        raise NotImplementedError

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Stay silent."""

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_any  # noqa: N815


class Relay(Stub):
    """A server that hands everything on to a real one."""

    endpoint: str
    pool = PoolManager()

    def answer(self, body: bytes) -> Answer:
        """Ask the real server."""
        url, headers = f"http://{self.endpoint}{self.path}", dict(self.headers.items())
        response = self.pool.request(self.command, url, body=body, headers=headers)
        return response.status, dict(response.headers), response.data


def forgetful(real: str) -> type[Stub]:
    """Drop the conditions of requests."""

    class Forgetful(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            del self.headers["If-None-Match"]
            return super().answer(body)

    return Forgetful


def losing(real: str, method: str, part_of_path: str) -> type[Stub]:
    """Lose the answer to what is asked with one method of some paths."""

    class Losing(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            answer = super().answer(body)
            if self.command == method and part_of_path in self.path:
                self.connection.shutdown(SHUT_RDWR)
            return answer

    return Losing


def refusing(real: str, is_refused: Callable[[str, str], bool]) -> type[Stub]:
    """Be out of order for some methods of some paths."""

    class Refusing(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            if is_refused(self.command, self.path):
                return 500, {"Content-Type": "application/xml"}, b"<Error><Code>InternalError</Code></Error>"
            return super().answer(body)

    return Refusing


def meddling(real: str, meddle: Callable[[str, bytes], bytes]) -> type[Stub]:
    """Let something happen to the body of every put on its way."""

    class Meddling(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            return super().answer(meddle(self.path, body) if self.command == "PUT" else body)

    return Meddling


def aging(real: str, age: timedelta) -> type[Stub]:
    """Say of every object that it is as old as this."""

    class Aging(Relay):
        endpoint = real

        def answer(self, body: bytes) -> Answer:
            status, headers, data = super().answer(body)
            if "Last-Modified" in headers:
                headers["Last-Modified"] = format_datetime(datetime.now(UTC) - age, usegmt=True)
            return status, headers, data

    return Aging


def always(status: int, media_type: str, data: bytes) -> type[Stub]:
    """Answer everything alike."""

    class Always(Stub):
        def answer(self, body: bytes) -> Answer:
            del body
            return status, {"Content-Type": media_type, "Content-Length": str(len(data))}, data

    return Always


@contextmanager
def serve(stub: type[Stub]) -> Generator[str]:
    """Run a stub and give its endpoint."""
    with ThreadingHTTPServer(("127.0.0.1", 0), stub) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def store_at(endpoint: str, bucket_prefix: str, secret_key: str = SeaweedServer.secret_key) -> S3Store:
    """Make a store with the test server's credentials."""
    provider = StaticProvider(SeaweedServer.access_key, secret_key)
    return S3Store(endpoint, bucket_prefix=bucket_prefix, region="us-east-1", is_secure=False, credentials=provider)
