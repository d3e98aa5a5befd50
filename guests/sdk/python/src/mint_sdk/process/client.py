"""HTTP to the platform's internal API: kept connections, retries where a repeat is safe, refusals as exceptions."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from ..exceptions import PlatformCompatibilityError, PluginException, UnavailableException, from_problem
from ..identity import forwarded_identity
from ..logs import request_id
from ..routing.responses import to_json
from .config import API_VERSION, PlatformConfig

WIRE_SDK_VERSION = "1.2.10"
"""The release of MINT's own SDK whose wire format this client speaks."""

IDLE_CONNECTIONS_MAX = 16
IDLE_SECONDS_MAX = 30.0
REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
BUSY = frozenset({502, 503, 504})

type Query = Mapping[str, Any] | None


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, address: str, timeout: float) -> None:
        super().__init__(address, timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class PlatformClient:
    """Thread-safe; every method blocks."""

    def __init__(self, config: PlatformConfig) -> None:
        self.config = config
        parts = urlsplit(config.url)
        self._is_secure = parts.scheme == "https"
        self._address = parts.netloc
        self._base = parts.path.rstrip("/") + "/api/internal"
        self._idle: deque[tuple[float, http.client.HTTPConnection]] = deque()
        self._lock = threading.Lock()

    def call(self, method: str, path: str, *, query: Query = None, body: Any = None, as_user: bool = True) -> Any:
        """The parsed JSON answer. `as_user` says whether the acting user of the current request is named."""
        payload = None if body is None else to_json(body).encode()
        kind = {} if payload is None else {"Content-Type": "application/json"}
        response, connection = self.send(method, path, query=query, payload=payload, headers=kind, as_user=as_user)
        with response:
            data = response.read()
        self.release(connection, response)
        return json.loads(data) if data and method != "HEAD" else None

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query = None,
        payload: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        as_user: bool = True,
        timeout: float | None = None,
    ) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
        """Sends a request, again where that is safe, and returns a response of status 2xx with its connection."""
        fields = self.headers(as_user) | dict(headers or {})
        for attempt in range(self.config.retries + 1):
            last = attempt == self.config.retries
            try:
                connection = self.connect(fresh=method not in REPEATABLE or attempt > 0, timeout=timeout)
            except OSError as error:
                self._wait_or_fail(attempt, last, error)
                continue
            try:
                connection.request(method, self.target(path, query), payload, fields)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._wait_or_fail(attempt, last or method not in REPEATABLE, error)
                continue
            if response.status in BUSY and method in REPEATABLE and not last:
                connection.close()
                time.sleep(self.config.retry_backoff * 2**attempt)
                continue
            if response.status >= 300:
                raise self.refusal(response, connection)
            return response, connection
        raise AssertionError("the last attempt returns or raises")

    def headers(self, as_user: bool) -> dict[str, str]:
        """Who calls: the plugin, and the acting user where there is one."""
        fields = {
            "X-MINT-Internal-Token": self.config.token,
            "X-MINT-Plugin-Name": self.config.plugin_name,
            "X-MINT-SDK-Version": WIRE_SDK_VERSION,
            "X-MINT-Platform-API-Version": API_VERSION,
        }
        current = request_id.get()
        if current is not None:
            fields["X-Request-ID"] = current
        return fields | dict(forwarded_identity.get()) if as_user else fields

    def target(self, path: str, query: Query = None) -> str:
        """Path and query of a call; parameters that are None are left out."""
        present = {name: value for name, value in (query or {}).items() if value is not None}
        return self._base + path + ("?" + urlencode(present) if present else "")

    def connect(self, *, fresh: bool, timeout: float | None = None) -> http.client.HTTPConnection:
        """An open connection, kept from before unless `fresh`. `OSError` if the platform does not listen."""
        connection = None if fresh else self._kept()
        if connection is None:
            connection = self._connection()
            connection.connect()
        connection.sock.settimeout(timeout or self.config.timeout)
        return connection

    def release(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        """Keeps the connection of a response that was read to its end."""
        with self._lock:
            if not response.will_close and connection.sock is not None and len(self._idle) < IDLE_CONNECTIONS_MAX:
                self._idle.append((time.monotonic(), connection))
                return
        connection.close()

    def refusal(self, response: http.client.HTTPResponse, connection: http.client.HTTPConnection) -> PluginException:
        """The typed exception for a response that is not 2xx."""
        data = response.read(1024 * 1024)
        connection.close()
        return to_exception(response.status, data)

    def close(self) -> None:
        """Closes the kept connections."""
        with self._lock:
            while self._idle:
                self._idle.pop()[1].close()

    def _connection(self) -> http.client.HTTPConnection:
        patience = self.config.connect_timeout
        if self.config.socket is not None:
            return SocketConnection(self.config.socket, self._address, patience)
        kind = http.client.HTTPSConnection if self._is_secure else http.client.HTTPConnection
        return kind(self._address, timeout=patience)

    def _kept(self) -> http.client.HTTPConnection | None:
        with self._lock:
            while self._idle:
                since, connection = self._idle.pop()
                if time.monotonic() - since < IDLE_SECONDS_MAX:
                    return connection
                connection.close()
        return None

    def _wait_or_fail(self, attempt: int, last: bool, error: Exception) -> None:
        if last:
            raise UnavailableException(f"The platform does not answer: {error}") from error
        time.sleep(self.config.retry_backoff * 2**attempt)


def to_exception(status: int, data: bytes) -> PluginException:
    """What an answer outside 2xx means."""
    code, message, details = _decode(data)
    if code == "plugin.api_version_mismatch" or status == 426:
        return PlatformCompatibilityError(message or "The platform speaks another API version.", API_VERSION, "unknown")
    kinds = {400: "invalid", 422: "invalid", 401: "denied", 403: "denied", 404: "not_found", 409: "conflict"}
    kind = kinds.get(status, "internal")
    if status in (413, 429, 507):
        kind = "quota_exceeded"
    elif status in BUSY:
        kind = "unavailable"
    return from_problem(kind, code, message or f"The platform answered with status {status}.", details)


def _decode(data: bytes) -> tuple[str, str, dict[str, Any] | None]:
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return "", "", None
    source = body
    if not (isinstance(body.get("status"), int) and isinstance(body.get("code"), str) and isinstance(body.get("message"), str)):
        source = body["detail"] if isinstance(body.get("detail"), dict) else body
    details = source.get("details")
    if isinstance(details, list):
        details = {"errors": details}
    message = source.get("message") or (source.get("detail") if isinstance(source.get("detail"), str) else "")
    code = source.get("error") or source.get("code") or ""
    return str(code), str(message or ""), details if isinstance(details, dict) else None
