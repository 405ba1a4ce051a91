"""Deploys to a bucket with S3's interface: AWS, R2, MinIO, or Google Cloud Storage by S3.

A bucket sends every object unchanged, with the headers that were uploaded with it. So files that
get smaller by it are uploaded compressed, with their Content-Encoding.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from toolchain.deployment.hosts import BUCKET
from toolchain.deployment.target import Item, Target
from toolchain.errors import MissingToolError, ToolchainError
from toolchain.site import headers as table
from toolchain.site.precompress import ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self


Encoding = Literal["br", "gzip", "none"]
ENCODINGS_OF_OBJECTS: tuple[Encoding, ...] = get_args(Encoding)
_NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})


@dataclass(frozen=True)
class _Body:
    content: bytes
    headers: dict[str, str]
    """Headers by boto3's names for them."""
    metadata: dict[str, str]


class BucketTarget(Target):
    """Deploys to a bucket.

    Args:
        bucket: Its name.
        prefix: Folder of the site in the bucket, without outer slashes; empty for the root.
        endpoint: Address of the service, if it is not AWS.
        encoding: How to compress files that get smaller by it. Browsers accept `br` over HTTPS
            only.

    boto3 finds the credentials: in the environment, its configuration, or the machine's role.
    """

    host = BUCKET

    def __init__(
        self, bucket: str, prefix: str, endpoint: str | None = None, encoding: Encoding = "gzip"
    ) -> None:
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint = endpoint
        self._encoding = encoding
        self._client: Any = None

    def __enter__(self) -> Self:
        """Make the client.

        Raises:
            MissingToolError: boto3 is not installed.
        """
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise MissingToolError(
                f"deploying to {self.name} needs boto3; `pip install 'toolchain[s3]'`"
            ) from error
        # Services other than AWS refuse the checksums that boto3 adds by default. Each body is
        # sent with its MD5 instead, which all of them check.
        config = Config(
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._client = boto3.client("s3", endpoint_url=self._endpoint, config=config)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client's connections."""
        if self._client is not None:
            self._client.close()

    def read(self, path: str) -> bytes | None:
        """Return an object's uncompressed content, or None if there is no such object."""
        answer = self._call("get_object", path)
        if answer is None:
            return None
        content: bytes = answer["Body"].read()
        if answer.get("ContentEncoding") == "gzip":
            return gzip.decompress(content)
        if answer.get("ContentEncoding") == "br":
            import brotli

            return bytes(brotli.decompress(content))
        return content

    def differing(self, items: Sequence[Item]) -> frozenset[str]:
        """Return the paths whose object is missing, or has other content or headers."""
        return frozenset(item.path for item in items if not self._has(item))

    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        """Upload objects; the service refuses a body that arrives damaged."""
        for item in items:
            if item.source is None:
                continue
            body = self._body(item, item.source)
            digest = hashlib.md5(body.content, usedforsecurity=False).digest()
            self._call(
                "put_object",
                item.path,
                Body=body.content,
                ContentMD5=base64.b64encode(digest).decode(),
                Metadata=body.metadata,
                **body.headers,
            )
            sent(item.size)

    def remove(self, paths: Sequence[str]) -> None:
        """Delete objects one by one: not every service can delete many at once."""
        for path in paths:
            self._call("delete_object", path)

    def _has(self, item: Item) -> bool:
        answer = self._call("head_object", item.path)
        if answer is None:
            return False
        if item.source is None:
            return bool(answer["Metadata"].get("sha256") == item.sha256)
        body = self._body(item, item.source)
        return (
            answer["Metadata"] == body.metadata
            and answer["ContentLength"] == len(body.content)
            and all(answer.get(name) == value for name, value in body.headers.items())
        )

    def _body(self, item: Item, source: Path) -> _Body:
        headers = {
            "ContentType": table.content_type(item.path),
            "CacheControl": table.cache_control(item.path),
        }
        content = source.read_bytes()
        if self._encoding != "none":
            neighbour = source.with_name(source.name + ENCODINGS[self._encoding])
            if neighbour.is_file():
                content = neighbour.read_bytes()
                headers["ContentEncoding"] = self._encoding
        return _Body(content, headers, {"sha256": item.sha256})

    def _call(self, operation: str, path: str, **arguments: Any) -> Any:
        """Return the service's answer, or None if there is no such object."""
        from botocore.exceptions import BotoCoreError, ClientError

        place = {"Bucket": self._bucket, "Key": self._prefix + path}
        try:
            return getattr(self._client, operation)(**place, **arguments)
        except ClientError as error:
            fault = error.response.get("Error", {})
            if str(fault.get("Code")) in _NOT_FOUND:
                return None
            raise self._fault(fault.get("Message") or str(fault.get("Code"))) from error
        except BotoCoreError as error:
            raise self._fault(str(error)) from error

    def _fault(self, cause: str) -> ToolchainError:
        return ToolchainError(
            f"{self.name} cannot be deployed to: {cause.strip().rstrip('.')}; fix that and deploy "
            "again; visitors still get the former site"
        )
