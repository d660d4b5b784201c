"""Files in S3 that are too large for a request or an answer: written and read in pieces, handed out by signed links.

The links carry the rights of the function that signs them, for minutes and for one key.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from coachline.settings import file_settings

PART_BYTES = 5 * 1024 * 1024  # S3's smallest part, besides the last
CHUNK_BYTES = 256 * 1024
LINK_SECONDS = 900


@dataclass(frozen=True)
class SignedUpload:
    """Where a browser's form is posted to, and the fields that go before its `file`."""

    url: str
    fields: dict[str, str]


def signed_upload(key: str, *, largest: int) -> SignedUpload:
    """Lets whoever has it put one file of at most `largest` bytes; S3 refuses a larger one while it comes in."""
    signed = _s3().generate_presigned_post(
        file_settings().member_files_bucket,
        key,
        Conditions=[["content-length-range", 1, largest]],
        ExpiresIn=LINK_SECONDS,
    )
    return SignedUpload(signed["url"], signed["fields"])


def signed_download(key: str, file_name: str) -> str:
    """A link that saves the file under `file_name`."""
    return str(
        _s3().generate_presigned_url(
            "get_object",
            Params={
                "Bucket": file_settings().member_files_bucket,
                "Key": key,
                "ResponseContentDisposition": f'attachment; filename="{file_name}"',
                "ResponseContentType": "text/csv; charset=utf-8; header=present",
            },
            ExpiresIn=LINK_SECONDS,
        )
    )


def size(key: str) -> int | None:
    """How many bytes a file has, without reading it; None when there is none."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - with boto3, see `_s3`

    try:
        return int(_s3().head_object(Bucket=file_settings().member_files_bucket, Key=key)["ContentLength"])
    except ClientError as error:
        # 403 is S3's word for a key that is not there, to those who may not list.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in {403, 404}:
            return None
        raise


def chunks(key: str) -> Iterator[bytes]:
    """A file, piece by piece."""
    body = _s3().get_object(Bucket=file_settings().member_files_bucket, Key=key)["Body"]
    with body:
        yield from body.iter_chunks(CHUNK_BYTES)


def put(key: str, content: bytes) -> None:
    """Store a file that is in memory already."""
    _s3().put_object(Bucket=file_settings().member_files_bucket, Key=key, Body=content)


class Upload:
    """A file that is written without ever being whole in memory; what is not finished leaves nothing behind."""

    def __init__(self, key: str) -> None:
        self._where = {"Bucket": file_settings().member_files_bucket, "Key": key}
        self._upload = {**self._where, "UploadId": _s3().create_multipart_upload(**self._where)["UploadId"]}
        self._parts: list[dict[str, Any]] = []
        self._waiting = bytearray()

    def write(self, content: bytes) -> None:
        """Add to the end; sends a part once there is enough for one."""
        self._waiting += content
        if len(self._waiting) >= PART_BYTES:
            self._send()

    def finish(self) -> None:
        """Make the file appear."""
        self._send()
        _s3().complete_multipart_upload(**self._upload, MultipartUpload={"Parts": self._parts})

    def abort(self) -> None:
        """Forget what was sent."""
        _s3().abort_multipart_upload(**self._upload)

    def _send(self) -> None:
        number = len(self._parts) + 1
        sent = _s3().upload_part(**self._upload, PartNumber=number, Body=bytes(self._waiting))
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        self._waiting.clear()


@cache
def _s3() -> Any:
    import boto3  # noqa: PLC0415 - a third of a second and 40 MB, only for those who need a file
    from botocore.config import Config  # noqa: PLC0415 - likewise

    return boto3.client("s3", config=Config(signature_version="s3v4"))
