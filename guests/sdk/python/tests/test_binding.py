"""What a handler's parameters are bound to: one table of good values, one of bad ones."""

import functools
import inspect
import unittest
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Optional, TypedDict
from uuid import UUID

from mint_sdk import APIRouter, Depends, Request

from .support import call, content


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Sample:
    name: str
    volume: float
    day: date | None = None
    colour: Colour = Colour.RED


@dataclass
class Plate:
    title: str
    samples: list[Sample] = field(default_factory=list)
    layout: Literal["96", "384"] = "96"
    extra: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.title == "bad":
            raise ValueError("the title is bad")


@dataclass
class Tree:
    value: int
    children: list["Tree"] = field(default_factory=list)


class Point(TypedDict):
    x: int
    y: NotRequired[int]


GOOD_QUERY = [
    (int, "v=-12", -12),
    (float, "v=1e3", 1000.0),
    (bool, "v=Yes", True),
    (bool, "v=0", False),
    (str, "v=a%20b&v=c", "c"),
    (Optional[int], "v=3", 3),
    (list[int], "v=1&v=2", [1, 2]),
    (set[str], "v=a&v=a", {"a"}),
    (tuple[int, ...], "v=4", (4,)),
    (list[int] | None, "v=1", [1]),
    (Literal["a", "b"], "v=b", "b"),
    (Literal[1, 2], "v=2", 2),
    (Colour, "v=blue", Colour.BLUE),
    (int | str, "v=x", "x"),
    (date, "v=2026-01-31", date(2026, 1, 31)),
    (datetime, "v=2026-01-31T12:00:00%2B00:00", datetime.fromisoformat("2026-01-31T12:00:00+00:00")),
    (UUID, "v=12345678123456781234567812345678", UUID("12345678123456781234567812345678")),
]
BAD_QUERY = [
    (int, "v=1.5", "must be a whole number"),
    (int, "v=1_0", "must be a whole number"),
    (int, "v=" + "9" * 5000, "must be a whole number"),
    (int, "", "is missing"),
    (float, "v=nan", "must be a finite number"),
    (float, "v=1e999", "must be a finite number"),
    (bool, "v=maybe", "must be true or false"),
    (Literal["a", "b"], "v=c", "must be one of 'a', 'b'"),
    (Colour, "v=green", "must be one of 'red', 'blue'"),
    (date, "v=31.1.2026", "must be a date such as 2026-01-31"),
    (int | bool, "v=x", "must be a whole number or must be true or false"),
    (UUID, "v=x", "must be a UUID"),
]
GOOD_BODY = [
    (Plate, {"title": "p"}, Plate("p")),
    (
        Plate,
        {
            "title": "p",
            "samples": [{"name": "s", "volume": 2, "day": "2026-01-31", "colour": "blue"}],
            "layout": "384",
            "extra": {"a": 1},
        },
        Plate("p", [Sample("s", 2.0, date(2026, 1, 31), Colour.BLUE)], "384", {"a": 1}),
    ),
    (Plate, {"title": "p", "unknown": 1}, Plate("p")),
    (Point, {"x": 1}, {"x": 1}),
    (list[Point], [{"x": 1, "y": 2}], [{"x": 1, "y": 2}]),
    (dict[str, Any], {"a": [1]}, {"a": [1]}),
    (Tree, {"value": 1, "children": [{"value": 2}]}, Tree(1, [Tree(2)])),
    (Optional[Plate], None, None),
]
BAD_BODY = [
    (Plate, {}, [("title", "is missing")]),
    (Plate, {"title": "bad"}, [("body", "the title is bad")]),
    (Plate, [], [("body", "must be an object")]),
    (
        Plate,
        {"title": 1, "samples": [{"volume": "x"}], "layout": 96},
        [
            ("title", "must be text"),
            ("samples[0].name", "is missing"),
            ("samples[0].volume", "must be a finite number"),
            ("layout", "must be one of '96', '384'"),
        ],
    ),
    (Plate, {"title": "p", "samples": [{"name": "s", "volume": True}]}, [("samples[0].volume", "must be a finite number")]),
    (Plate, {"title": "p", "extra": {"a": "b"}}, [("extra.a", "must be a whole number")]),
    (list[Point], [{"x": 1}, {"y": 2}], [("[1].x", "is missing")]),
    (Tree, {"value": 1, "children": [{"value": True}]}, [("children[0].value", "must be a whole number")]),
]


def bound(annotation: Any, *, default: Any = ...) -> tuple[APIRouter, list[Any]]:
    seen: list[Any] = []

    def handler(v):
        seen.append(v)

    handler.__annotations__["v"] = annotation
    if default is not ...:
        handler.__defaults__ = (default,)
    router = APIRouter()
    router.api_route("/", methods=["GET", "POST"])(handler)
    return router, seen


class Binding(unittest.TestCase):
    def test_query(self) -> None:
        for annotation, query, expected in GOOD_QUERY:
            with self.subTest(annotation=annotation, query=query):
                router, seen = bound(annotation)
                self.assertEqual(call(router, "GET", f"/?{query}").status_code, 200)
                self.assertEqual(seen, [expected])
                self.assertIs(type(seen[0]), type(expected))

    def test_bad_query(self) -> None:
        for annotation, query, message in BAD_QUERY:
            with self.subTest(annotation=annotation, query=query[:20]):
                router, seen = bound(annotation)
                response = call(router, "GET", f"/?{query}")
                self.assertEqual(response.status_code, 422)
                self.assertEqual(content(response)["details"], [{"field": "v", "message": message}])
                self.assertEqual(seen, [])

    def test_body(self) -> None:
        for annotation, body, expected in GOOD_BODY:
            with self.subTest(annotation=annotation, body=body):
                router, seen = bound(annotation, default=None)
                self.assertEqual(call(router, "POST", "/", json_body=body).status_code, 200)
                self.assertEqual(seen, [expected])

    def test_bad_body(self) -> None:
        for annotation, body, errors in BAD_BODY:
            with self.subTest(annotation=annotation, body=body):
                router, seen = bound(annotation)
                response = call(router, "POST", "/", json_body=body)
                self.assertEqual(response.status_code, 422)
                self.assertEqual([(item["field"], item["message"]) for item in content(response)["details"]], errors)
                self.assertEqual(seen, [])

    def test_body_that_is_no_json(self) -> None:
        router, _ = bound(Plate)
        kind = {"content-type": "application/json"}
        for body in (b"{", b'{"title": NaN}', b"\xff", b"[" * 100_000):
            with self.subTest(body=body[:20]):
                response = call(router, "POST", "/", body=body, headers=kind)
                self.assertEqual((response.status_code, content(response)["code"]), (422, "validation.request"))
        self.assertEqual(call(router, "POST", "/", body=b"{}", headers={"content-type": "text/plain"}).status_code, 415)
        self.assertEqual(content(call(router, "POST", "/"))["details"], [{"field": "body", "message": "is missing"}])

    def test_path(self) -> None:
        router = APIRouter("/items")

        @router.get("/{item}/files/{key:path}")
        def show(item: int, key: str, request: Request) -> list[Any]:
            return [item, key, request.path_params]

        self.assertEqual(content(call(router, "GET", "/items/5/files/a/b c")), [5, "a/b c", {"item": "5", "key": "a/b c"}])
        self.assertEqual(call(router, "GET", "/items/x/files/a").status_code, 422)
        self.assertEqual(call(router, "GET", "/items/5/files/").status_code, 404)

    def test_all_mistakes_at_once(self) -> None:
        router = APIRouter()

        @router.post("/{number}")
        def handler(number: int, plate: Plate, limit: int, colour: Colour = Colour.RED) -> None: ...

        response = call(router, "POST", "/x?colour=green", json_body={})
        self.assertEqual([item["field"] for item in content(response)["details"]], ["number", "title", "limit", "colour"])

    def test_what_cannot_be_bound_fails_when_routes_are_made(self) -> None:
        def rest(*items: int) -> None: ...

        def bad(item: complex) -> None: ...

        def two(a: Plate, b: Plate) -> None: ...

        def generator():
            yield 1

        for handler, words in ((rest, "'items'"), (bad, "complex"), (two, "one body"), (generator, "yield")):
            with self.subTest(handler=handler.__name__):
                router = APIRouter()
                router.get("/")(handler)
                with self.assertRaisesRegex(TypeError, words):
                    router.routes()


class Dependencies(unittest.TestCase):
    def test_cache_nesting_sync_and_async(self) -> None:
        calls: list[str] = []

        def settings(limit: int = 1) -> int:
            calls.append("settings")
            return limit

        async def session(limit: int = Depends(settings)) -> str:
            calls.append("session")
            return f"session-{limit}"

        class Counter:
            def __init__(self, session: str = Depends(session)) -> None:
                self.session = session

        def fresh() -> object:
            calls.append("fresh")
            return object()

        router = APIRouter(dependencies=[Depends(settings)])

        @router.get("/")
        def handler(
            first: Annotated[str, Depends(session)],
            second: str = Depends(session),
            counter: Counter = Depends(Counter),
            one: object = Depends(fresh, use_cache=False),
            two: object = Depends(fresh, use_cache=False),
        ) -> list[Any]:
            return [first, second, counter.session, one is two]

        self.assertEqual(content(call(router, "GET", "/?limit=4")), ["session-4", "session-4", "session-4", False])
        self.assertEqual(calls, ["settings", "session", "fresh", "fresh"])
        calls.clear()
        call(router, "GET", "/")
        self.assertEqual(calls.count("settings"), 1)

    def test_wrappers_and_keyword_only_parameters_get_names(self) -> None:
        def wrapper(inner: Any) -> Any:
            @functools.wraps(inner)
            async def outer(**arguments: Any) -> Any:
                return await inner(**arguments)

            return outer

        def signed(inner: Any) -> Any:
            async def outer(**arguments: Any) -> Any:
                return await inner(**arguments)

            outer.__signature__ = inspect.signature(inner, eval_str=True)  # type: ignore[attr-defined]
            return outer

        async def path_of(request: Request) -> str:
            return request.path

        class Doubled:
            async def __call__(self, limit: int = 1) -> int:
                return 2 * limit

        async def handler(
            request: Request,
            path: Annotated[str, Depends(wrapper(path_of))],
            *,
            limit: int = 1,
            doubled: int = Depends(Doubled()),
        ) -> list[Any]:
            return [request.method, path, limit, doubled]

        router = APIRouter()
        router.get("/plain")(handler)
        router.get("/wrapped")(wrapper(handler))
        router.get("/signed")(signed(handler))
        for path in ("/plain", "/wrapped", "/signed"):
            self.assertEqual(content(call(router, "GET", f"{path}?limit=4")), ["GET", path, 4, 8])
