"""Real S3 servers for tests: where one listens, who may use it, and who else is to."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from minio import Minio
from minio.credentials.credentials import Credentials
from minio.helpers import DictType
from minio.signer import sign_v4_s3
from urllib3 import BaseHTTPResponse, PoolManager, Retry

REGION = "us-east-1"
POLICIES = Path(__file__).parents[1] / "deployments" / "policies"


def read_policy(role: str, bucket_prefix: str) -> str:
    """Read one of the policies that are shipped, for the buckets of a prefix."""
    return (POLICIES / f"{role}.json").read_text().replace(":::scenes", f":::{bucket_prefix}-scenes")


@dataclass(frozen=True, kw_only=True)
class S3Server:
    """Where a server listens, and with whose credentials it is used."""

    endpoint: str
    add_user: Callable[[Self, str], tuple[str, str]]
    """Makes a user who may do nothing, and returns the credentials."""
    access_key: str = "mastershot"
    secret_key: str = "not-a-secret"  # noqa: S105

    @property
    def environment(self) -> dict[str, str]:
        """The credentials as a process finds them."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def url(self, bucket_prefix: str) -> str:
        """Name the server for `open_store`; another prefix is another, empty store."""
        return f"s3://{self.endpoint}/{bucket_prefix}?secure=0"

    def client(self) -> Minio:
        """Open a client of the test's own, to look behind the store."""
        return Minio(
            endpoint=self.endpoint,
            access_key=self.access_key,
            secret_key=self.secret_key,
            region=REGION,
            secure=False,
            http_client=PoolManager(retries=Retry(total=0)),
        )

    def as_user(self, name: str, *policies: str) -> Self:
        """Make a user who may do what policies say, and return the server as that user sees it."""
        access_key, secret_key = self.add_user(self, name)
        for number, policy in enumerate(policies):
            self.call_iam("PutUserPolicy", UserName=name, PolicyName=f"p{number}", PolicyDocument=policy)
        return replace(self, access_key=access_key, secret_key=secret_key)

    def as_role(self, role: str, bucket_prefix: str, *others: str) -> Self:
        """Make a user with one or more of the policies that are shipped, for the buckets of a prefix."""
        policies = [read_policy(each, bucket_prefix) for each in (role, *others)]
        return self.as_user(f"{role}-{uuid4().hex[:8]}", *policies)

    def call_iam(self, action: str, **parameters: str) -> str:
        """Ask the server's administration of users, which speaks the language of AWS at the same port."""
        body = urlencode({"Action": action, "Version": "2010-05-08", **parameters}).encode()
        response = self.send("POST", "/", {"Content-Type": "application/x-www-form-urlencoded"}, body)
        assert response.status == 200, response.data
        return response.data.decode()

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> BaseHTTPResponse:
        """Send what no client can, signed."""
        digest, now, url = sha256(body).hexdigest(), datetime.now(UTC), f"http://{self.endpoint}{path}"
        known: DictType = {
            "Host": self.endpoint,
            "x-amz-content-sha256": digest,
            "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
            **headers,
        }
        signed = sign_v4_s3(
            method=method,
            url=urlsplit(url),
            region=REGION,
            headers=known,
            credentials=Credentials(self.access_key, self.secret_key),
            content_sha256=digest,
            date=now,
        )
        return PoolManager().request(method, url, body=body, headers={name: str(signed[name]) for name in signed})
