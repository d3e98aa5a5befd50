"""What goes wrong in a route, and the one shape in which clients are told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..exceptions import PluginException

CODES = {
    400: "request.bad_request",
    401: "auth.unauthorized",
    403: "auth.forbidden",
    404: "resource.not_found",
    405: "request.method_not_allowed",
    409: "resource.conflict",
    413: "request.too_large",
    415: "request.unsupported_media_type",
    422: "validation.error",
    426: "plugin.api_version_mismatch",
    429: "rate_limit.exceeded",
    500: "internal.error",
    501: "feature.not_implemented",
    503: "service.unavailable",
}


class HTTPException(Exception):
    """Ends the request with `status_code`; `detail` is a text for people or an object with `message`, `code`, `details`."""

    def __init__(self, status_code: int, detail: Any = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(status_code, detail)
        self.status_code = status_code
        self.detail = CODES.get(status_code, "error") if detail is None else detail
        self.headers = headers or {}


@dataclass(frozen=True)
class FieldError:
    """One wrong value: where (`source` is path, query or body; `loc` leads from there) and why."""

    source: str
    loc: tuple[str | int, ...]
    message: str

    @property
    def field(self) -> str:
        """`samples[0].name`; the source when the whole of it is wrong."""
        text = ""
        for part in self.loc:
            text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
        return text or self.source


class RequestValidationError(Exception):
    """422: the request does not have the shape that the route asks for."""

    def __init__(self, errors: list[FieldError], message: str = "The request is not valid.") -> None:
        super().__init__(message)
        self.errors = errors
        self.message = message


@dataclass(frozen=True)
class Problem:
    """An error that is ready to be sent."""

    status: int
    code: str
    message: str
    details: Any
    detail: Any
    error: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def body(self, request_id: str) -> dict[str, Any]:
        """`{code, message, status, request_id, details, detail, error?}`."""
        envelope = {
            "code": self.code,
            "message": self.message,
            "status": self.status,
            "request_id": request_id,
            "details": self.details,
            "detail": self.detail,
        }
        return envelope if self.error is None else envelope | {"error": self.error}


def to_problem(error: Exception) -> Problem:
    """What the client learns of an exception; nothing of one that nobody expected."""
    if isinstance(error, PluginException):
        body = json.loads(json.dumps(error.to_dict(), default=str))
        return Problem(error.status, error.code, error.message, body.get("details"), body, error.code)
    if isinstance(error, RequestValidationError):
        details = [{"field": item.field, "message": item.message} for item in error.errors]
        raw = [{"loc": [item.source, *item.loc], "msg": item.message, "type": "value_error"} for item in error.errors]
        return Problem(422, "validation.request", error.message, details, raw)
    if isinstance(error, HTTPException):
        return _http_problem(error)
    return Problem(500, CODES[500], "The plugin failed on this request.", None, "Internal Server Error")


def _http_problem(error: HTTPException) -> Problem:
    code, details = CODES.get(error.status_code, "request.failed"), None
    message = error.detail if isinstance(error.detail, str) else code
    if isinstance(error.detail, dict):
        message = str(error.detail.get("message", message))
        code = str(error.detail.get("code") or error.detail.get("error") or code)
        details = error.detail.get("details")
    return Problem(error.status_code, code, message, details, error.detail, headers=tuple(error.headers.items()))
