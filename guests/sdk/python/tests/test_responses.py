"""Matching, responses, the envelope and the bounds."""

import unittest
from dataclasses import dataclass
from datetime import date
from typing import Any

from mint_sdk import (
    APIRouter,
    DesignDataOwnershipConflictException,
    FieldError,
    HTMLResponse,
    HTTPException,
    NotFoundException,
    PermissionException,
    QuotaExceededException,
    Request,
    RequestValidationError,
    Response,
    StreamingResponse,
    UnsupportedExperimentTypeException,
    ValidationException,
)
from mint_sdk.routing.app import route_path

from .support import call, content, header


@dataclass
class Result:
    name: str
    day: date


RAISED = [
    (HTTPException(404, "No such thing."), 404, "resource.not_found", "No such thing.", None),
    (HTTPException(418, "I am a teapot."), 418, "request.failed", "I am a teapot.", None),
    (HTTPException(409, {"code": "X", "message": "m", "details": {"a": 1}}), 409, "X", "m", None),
    (HTTPException(401), 401, "auth.unauthorized", "auth.unauthorized", None),
    (ValidationException("Bad.", "name", "v" * 200), 400, "VALIDATION_ERROR", "Bad.", "VALIDATION_ERROR"),
    (PermissionException("No.", "objects"), 403, "PERMISSION_DENIED", "No.", "PERMISSION_DENIED"),
    (UnsupportedExperimentTypeException("a", ["b"]), 403, "EXPERIMENT_TYPE_NOT_ALLOWED", None, "EXPERIMENT_TYPE_NOT_ALLOWED"),
    (NotFoundException("Gone.", "Design", 4), 404, "NOT_FOUND", "Gone.", "NOT_FOUND"),
    (
        DesignDataOwnershipConflictException(experiment_id=1, current_owner_plugin_id="a", requested_owner_plugin_id="b"),
        409,
        "DESIGN_DATA_OWNERSHIP_CONFLICT",
        None,
        "DESIGN_DATA_OWNERSHIP_CONFLICT",
    ),
    (QuotaExceededException("Full."), 429, "QUOTA_EXCEEDED", "Full.", "QUOTA_EXCEEDED"),
    (
        RequestValidationError([FieldError("body", ("row", 3), "is odd")], "Bad table."),
        422,
        "validation.request",
        "Bad table.",
        None,
    ),
]


class Responses(unittest.TestCase):
    def test_values_become_json(self) -> None:
        router = APIRouter()
        router.get("/")(lambda: [Result("a", date(2026, 1, 31)), {1}, None, "é"])
        router.post("/", status_code=201)(lambda: {"ok": True})
        response = call(router, "GET", "/")
        self.assertEqual(response.body.decode(), '[{"name":"a","day":"2026-01-31"},[1],null,"é"]')
        self.assertEqual(header(response, "content-length"), str(len(response.body)))
        self.assertEqual(call(router, "POST", "/").status_code, 201)

    def test_not_found_and_method(self) -> None:
        router = APIRouter()
        router.get("/a")(lambda: 1)
        router.put("/a")(lambda: 2)
        self.assertEqual(content(call(router, "GET", "/b"))["code"], "resource.not_found")
        response = call(router, "DELETE", "/a")
        self.assertEqual((response.status_code, header(response, "allow")), (405, "GET, PUT"))
        response = call(router, "HEAD", "/a")
        self.assertEqual((response.status_code, response.body, header(response, "content-length")), (200, b"", "1"))

    def test_nested_routers(self) -> None:
        inner, outer = APIRouter("/inner"), APIRouter("/outer")
        inner.get("/x")(lambda: "x")
        outer.include_router(inner, "/v1")
        self.assertEqual(content(call(outer, "GET", "/outer/v1/inner/x")), "x")
        self.assertEqual([route.path for route in inner.routes("/ignored")], ["/inner/x"])
        plain = APIRouter()
        plain.get("/")(lambda: 1)
        self.assertEqual([route.path for route in plain.routes("/sub")], ["/sub/"])

    def test_exceptions_become_the_envelope(self) -> None:
        for raised, status, code, message, error in RAISED:
            with self.subTest(code=code):
                router = APIRouter()
                router.get("/")(_raiser(raised))
                response = call(router, "GET", "/", headers={"x-request-id": "abc"})
                body = content(response)
                self.assertEqual((response.status_code, body["status"], body["code"]), (status, status, code))
                if message is not None:
                    self.assertEqual(body["message"], message)
                self.assertEqual(body.get("error"), error)
                self.assertEqual((body["request_id"], header(response, "x-request-id")), ("abc", "abc"))
                self.assertTrue({"details", "detail"} <= body.keys())

    def test_details(self) -> None:
        router = APIRouter()
        router.get("/")(_raiser(RequestValidationError([FieldError("body", ("rows", 3, "x"), "is odd")])))
        self.assertEqual(content(call(router, "GET", "/"))["details"], [{"field": "rows[3].x", "message": "is odd"}])
        router = APIRouter()
        router.get("/")(_raiser(ValidationException("Bad.", "name", "v" * 200)))
        self.assertEqual(content(call(router, "GET", "/"))["details"], {"field": "name", "value": "v" * 100 + "..."})

    def test_unexpected_errors_say_nothing(self) -> None:
        router = APIRouter()
        router.get("/")(_raiser(RuntimeError("secret")))
        router.get("/nan")(lambda: float("nan"))
        with self.assertLogs("mint_sdk", "ERROR") as logs:
            response = call(router, "GET", "/", headers={"x-request-id": "bad\nid"})
            self.assertEqual(call(router, "GET", "/nan").status_code, 500)
        self.assertIn("secret", "".join(logs.output))
        self.assertNotIn(b"secret", response.body)
        self.assertRegex(content(response)["request_id"], "^[0-9a-f]{16}$")

    def test_body_bounds(self) -> None:
        router = APIRouter(body_bytes_max=10)

        @router.post("/small")
        async def small(request: Request) -> int:
            return len(await request.body())

        @router.post("/stream", body_bytes_max=20)
        async def stream(request: Request) -> int:
            return sum([len(chunk) async for chunk in request.stream()])

        self.assertEqual(content(call(router, "POST", "/small", body=b"x" * 10)), 10)
        self.assertEqual(call(router, "POST", "/small", chunks=[b"x" * 6, b"x" * 6]).status_code, 413)
        self.assertEqual(call(router, "POST", "/small", headers={"content-length": "11"}).status_code, 413)
        self.assertEqual(content(call(router, "POST", "/stream", chunks=[b"x" * 10, b"x" * 10])), 20)
        self.assertEqual(call(router, "POST", "/stream", chunks=[b"x" * 10, b"x" * 11]).status_code, 413)

    def test_streams(self) -> None:
        closed = []

        async def source(fail: bool):
            try:
                if fail:
                    raise NotFoundException("No object.")
                yield b"a"
                yield "é"
            finally:
                closed.append(fail)

        router = APIRouter()
        router.get("/ok")(lambda: StreamingResponse(source(False), media_type="text/event-stream"))
        router.get("/fail")(lambda: StreamingResponse(source(True)))
        router.get("/sync")(lambda: StreamingResponse(iter(["x", b"y"])))
        response = call(router, "GET", "/ok")
        self.assertEqual((response.body.decode(), header(response, "content-length")), ("aé", None))
        self.assertEqual(call(router, "GET", "/fail").status_code, 404)
        self.assertEqual(call(router, "GET", "/sync").body, b"xy")
        self.assertEqual(call(router, "HEAD", "/ok").body, b"")
        self.assertEqual(closed, [False, True, False])

    def test_response_kinds(self) -> None:
        router = APIRouter()
        router.get("/html")(lambda: HTMLResponse("<p>"))
        router.get("/none")(lambda: Response(status_code=204))
        self.assertEqual(header(call(router, "GET", "/html"), "content-type"), "text/html; charset=utf-8")
        self.assertIsNone(header(call(router, "GET", "/none"), "content-length"))

    def test_fields_that_cannot_be_sent_are_named(self) -> None:
        table: list[tuple[Any, Any, str]] = [
            ("x name", "secret", "'x name' is no name of a header field."),
            (7, "secret", "7 is no name of a header field."),
            ("x-count", 5, "The header field 'x-count' is of type int: give text."),
            ("x-name", "secret 塩", "The header field 'x-name' has characters that Latin-1 has not."),
            ("x-name", "secret\r\nb: c", "The header field 'x-name' has control characters."),
        ]
        for name, value, message in table:
            response = Response("ok")
            response.headers.append((name, value))
            with self.subTest(message), self.assertRaises(ValueError) as raised:
                response.encoded_fields()
            self.assertEqual(str(raised.exception), message)
        sent = Response("ok", headers={"X-Name": "Zoë\tB"}).encoded_fields()
        self.assertEqual(sent, [("x-name", b"Zo\xeb\tB"), ("content-length", b"2")])

    def test_prefixes(self) -> None:
        table = [
            ("/api/p/x", "/api/p", "/q", ("/api/p", "/x")),
            ("/api/p", "/api/p", "/q", ("/api/p", "/")),
            ("/api/q/x/", None, "/q", ("/api/q", "/x/")),
            ("/api/px", "/api/p", "/q", ("", "/api/px")),
        ]
        for path, forwarded, own, expected in table:
            self.assertEqual(route_path(path, forwarded, own), expected)


def _raiser(error: Exception):
    def handler() -> None:
        raise error

    return handler
