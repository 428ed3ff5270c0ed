"""An authority of our own, its certificate for 127.0.0.1, and a server that shows it and hands all on to a real one."""

import ssl
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.s3_stubs import Relay, serve


def make_authority(folder: Path) -> Path:
    """Make the certificate of an authority that nobody knows, in a folder, and a certificate and key that it signed."""
    _request(folder, "authority", "-subj", "/CN=Authority")
    authority = ["-CA", str(folder / "authority.pem"), "-CAkey", str(folder / "authority.key")]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    _request(folder, "server", *authority, *names, "-addext", "basicConstraints=critical,CA:FALSE")
    return folder / "authority.pem"


def _request(folder: Path, name: str, *options: str) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
    command = ["/usr/bin/openssl", "req", "-x509", "-days", "2", *key, *files, *options]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def serve_over_tls(real: str, folder: Path) -> Generator[str]:
    """Stand before a real server with the certificate in a folder, and give the endpoint."""

    class Encrypted(Relay):
        endpoint = real

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    with serve(Encrypted, context) as served:
        yield served
