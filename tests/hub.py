"""A model hub of our own, on this machine: the routes that a snapshot by `huggingface_hub` needs, and a log of them."""

import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" * 6 + "c0de"


@dataclass(kw_only=True)
class Hub:
    """Files by repository and path, and what was asked for."""

    files: dict[str, dict[str, bytes]]
    commit: str = COMMIT
    """Where the branches stand."""
    breaks_off_at: int | None = None
    """The first file that is longer is cut off here."""
    address: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])
    """Method, path, and range of bytes."""


class Handler(BaseHTTPRequestHandler):
    """Answers for the hub of its server."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a body."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer without one."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Keep off the screen what `Hub.requests` has."""

    @property
    def _hub(self) -> Hub:
        server: Any = self.server
        return server.hub

    def _answer(self) -> None:
        """Answer `api/models/OWNER/NAME/(revision|tree)/REVISION` or `OWNER/NAME/resolve/REVISION/PATH`."""
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        self._hub.requests.append((self.command, "/".join(parts), self.headers.get("Range", "")))
        if parts[:2] == ["api", "models"]:
            self._describe("/".join(parts[2:4]), parts[4], self._commit(parts[5]))
        else:
            self._give("/".join(parts[:2]), "/".join(parts[4:]), self._commit(parts[3]))

    def _commit(self, revision: str) -> str:
        return self._hub.commit if revision == "main" else revision

    def _describe(self, repo: str, what: str, commit: str) -> None:
        files = self._hub.files.get(repo)
        if files is None:
            self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif what == "tree":
            tree = [
                {"type": "file", "path": path, "size": len(files[path]), "oid": _etag(files[path])} for path in files
            ]
            self._send(200, json.dumps(tree).encode(), {})
        else:
            info = {"id": repo, "sha": commit, "siblings": [{"rfilename": path} for path in files]}
            self._send(200, json.dumps(info).encode(), {})

    def _give(self, repo: str, path: str, commit: str) -> None:
        content = self._hub.files.get(repo, {}).get(path)
        if content is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": f'"{_etag(content)}"', "X-Repo-Commit": commit}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._send(206 if start else 200, content[start:], headers)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = self._hub.breaks_off_at
        if limit is not None and len(body) > limit:
            self._hub.breaks_off_at, self.close_connection = None, True
            body = body[:limit]
        self.wfile.write(body)


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextmanager
def serve(hub: Hub) -> Generator[Hub]:
    """Serve `hub` on a free port while the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hub = hub  # pyright: ignore[reportAttributeAccessIssue] - for the handler, which knows its server only
    hub.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
