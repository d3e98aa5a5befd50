"""Objects over HTTP, streamed in both directions."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Generator

from ..backend import CHUNK_BYTES
from ..exceptions import UnavailableException
from ..models import DataObjectRef
from . import models
from .client import PlatformClient, to_exception

_ESCAPES = str.maketrans({"\n": "%0A", "\r": "%0D", '"': "%22"})
"""What a file name in a form cannot hold, as browsers write it."""


def read_object(client: PlatformClient, path: str) -> Generator[bytes, None, None]:
    """The bytes of an object. The request is sent at once, so that a missing object fails here."""
    response, connection = client.send("GET", path, query={"format": "raw"}, timeout=client.config.transfer_timeout)
    return _chunks(client, response, connection)


def _chunks(
    client: PlatformClient, response: http.client.HTTPResponse, connection: http.client.HTTPConnection
) -> Generator[bytes, None, None]:
    complete = False
    try:
        while chunk := response.read(CHUNK_BYTES):
            yield chunk
        if response.length:
            raise http.client.IncompleteRead(b"", response.length)
        complete = True
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableException("The object's bytes broke off.") from error
    finally:
        if complete:
            client.release(connection, response)
        else:
            connection.close()


class HttpObjectWriter:
    """A multipart upload in chunks. Closing the connection before the last chunk leaves nothing behind."""

    def __init__(self, client: PlatformClient, path: str, filename: str, content_type: str | None) -> None:
        self._client = client
        self._boundary = secrets.token_hex(16)
        try:
            self._connection = client.connect(fresh=True, timeout=client.config.transfer_timeout)
            self._connection.putrequest("PUT", client.target(path))
            for name, value in client.headers(as_user=True).items():
                self._connection.putheader(name, value)
            self._connection.putheader("Content-Type", f"multipart/form-data; boundary={self._boundary}")
            self._connection.putheader("Transfer-Encoding", "chunked")
            self._connection.endheaders()
        except OSError as error:
            raise UnavailableException(f"The platform does not answer: {error}") from error
        if content_type is not None:
            self._send(self._part('name="content_type"') + content_type.encode() + b"\r\n")
        kind = content_type or "application/octet-stream"
        self._send(self._part(f'name="file"; filename="{filename.translate(_ESCAPES)}"', f"Content-Type: {kind}\r\n"))

    def write(self, data: bytes) -> None:
        if data:
            self._send(data)

    def finish(self) -> DataObjectRef:
        self._send(f"\r\n--{self._boundary}--\r\n".encode())
        try:
            self._connection.send(b"0\r\n\r\n")
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableException(f"The upload broke off: {error}") from error
        if response.status >= 300:
            self._connection.close()
            raise to_exception(response.status, data)
        self._client.release(self._connection, response)
        return models.object_ref(json.loads(data))

    def abort(self) -> None:
        self._connection.close()

    def _part(self, disposition: str, more: str = "") -> bytes:
        return f"--{self._boundary}\r\nContent-Disposition: form-data; {disposition}\r\n{more}\r\n".encode()

    def _send(self, data: bytes) -> None:
        """One chunk. If the platform hung up, its answer says why."""
        try:
            self._connection.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        except OSError as error:
            raise self._early_answer(error) from error

    def _early_answer(self, error: OSError) -> Exception:
        try:
            response = self._connection.getresponse()
        except (OSError, http.client.HTTPException):
            return UnavailableException(f"The upload broke off: {error}")
        return self._client.refusal(response, self._connection)
