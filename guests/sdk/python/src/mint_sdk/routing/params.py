"""Reads the signature of a handler or dependency once, into a plan that each request follows."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Annotated, Any

from .convert import Converter, ConvertError, converter, is_many, is_structured
from .errors import FieldError, HTTPException, RequestValidationError
from .messages import Request


@dataclass(frozen=True, eq=False)
class Depends:
    """Marks a parameter as the result of another callable, called once per request unless `use_cache=False`."""

    dependency: Callable[..., Any]
    use_cache: bool = True


class Source(Enum):
    """Where a parameter comes from."""

    REQUEST = auto()
    DEPENDENCY = auto()
    PATH = auto()
    QUERY = auto()
    BODY = auto()


@dataclass(frozen=True)
class Parameter:
    """One parameter of a callable."""

    name: str
    source: Source
    convert: Converter | None = None
    many: bool = False
    default: Any = inspect.Parameter.empty
    target: Callee | None = None
    use_cache: bool = True


@dataclass(frozen=True)
class Callee:
    """A callable and where its parameters come from."""

    function: Callable[..., Any]
    is_async: bool
    parameters: list[Parameter] = field(default_factory=list)

    @property
    def reads_body(self) -> bool:
        """Whether it, or something that it depends on, has a body parameter."""
        return any(item.source is Source.BODY or (item.target is not None and item.target.reads_body) for item in self.parameters)


def plan(function: Callable[..., Any], path_names: frozenset[str]) -> Callee:
    """The plan for `function` under a path with these parameters. `TypeError` says what cannot be bound."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{_name(function)}: a handler or dependency returns a value; it cannot `yield`.")
    parameters = [_parameter(function, item, hint, path_names) for item, hint in _signature(function)]
    if sum(item.source is Source.BODY for item in parameters) > 1:
        raise TypeError(f"{_name(function)}: take one body parameter; join them in one dataclass.")
    return Callee(function, _is_async(function), parameters)


def dependency(name: str, depends: Depends, path_names: frozenset[str]) -> Parameter:
    """The parameter `name` that a dependency fills."""
    return Parameter(name, Source.DEPENDENCY, target=plan(depends.dependency, path_names), use_cache=depends.use_cache)


def _signature(function: Callable[..., Any]) -> list[tuple[inspect.Parameter, Any]]:
    try:
        signature = inspect.signature(function)
        target = (
            function
            if inspect.isroutine(function)
            else function.__init__
            if inspect.isclass(function)
            else type(function).__call__
        )
        hints = typing.get_type_hints(target, include_extras=True)
    except NameError as error:
        raise TypeError(f"{_name(function)}: {error}; types of parameters must be defined at module level.") from error
    return [(item, hints.get(item.name, item.annotation)) for item in signature.parameters.values()]


def _parameter(function: Callable[..., Any], item: inspect.Parameter, hint: Any, path_names: frozenset[str]) -> Parameter:
    if item.kind in (item.VAR_POSITIONAL, item.VAR_KEYWORD, item.POSITIONAL_ONLY):
        raise TypeError(f"{_name(function)}: parameter '{item.name}' cannot be bound; use named parameters.")
    depends = _depends(item, hint)
    if depends is not None:
        return dependency(item.name, depends, path_names)
    annotation = str if hint is item.empty else hint
    if isinstance(annotation, type) and issubclass(annotation, Request):
        return Parameter(item.name, Source.REQUEST)
    source = Source.PATH if item.name in path_names else Source.BODY if is_structured(annotation) else Source.QUERY
    try:
        convert = converter(annotation, text=source is not Source.BODY)
    except TypeError as error:
        raise TypeError(f"{_name(function)}: parameter '{item.name}': {error}.") from error
    return Parameter(item.name, source, convert, source is Source.QUERY and is_many(annotation), item.default)


def _depends(item: inspect.Parameter, hint: Any) -> Depends | None:
    if isinstance(item.default, Depends):
        return item.default
    if typing.get_origin(hint) is Annotated:
        return next((extra for extra in typing.get_args(hint)[1:] if isinstance(extra, Depends)), None)
    return None


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


type Call = Callable[[Callee, dict[str, Any]], typing.Awaitable[Any]]


class Solver:
    """Fills in the parameters for one request."""

    def __init__(self, request: Request, call: Call) -> None:
        self._request = request
        self._call = call
        self._cache: dict[Callable[..., Any], Any] = {}

    async def run(self, callee: Callee) -> Any:
        """Calls it with everything bound; `RequestValidationError` lists all that does not fit."""
        arguments: dict[str, Any] = {}
        errors: list[FieldError] = []
        for item in callee.parameters:
            try:
                arguments[item.name] = await self.value(item)
            except RequestValidationError as error:
                errors.extend(error.errors)
        if errors:
            raise RequestValidationError(errors)
        return await self._call(callee, arguments)

    async def value(self, item: Parameter) -> Any:
        """The value of one parameter."""
        match item.source:
            case Source.REQUEST:
                return self._request
            case Source.DEPENDENCY:
                return await self._dependency(item)
            case Source.BODY:
                return await self._body(item)
            case Source.PATH:
                return _converted(item, self._request.path_params[item.name], "path", (item.name,))
            case Source.QUERY:
                return self._query(item)

    async def _dependency(self, item: Parameter) -> Any:
        assert item.target is not None
        key = item.target.function
        if item.use_cache and key in self._cache:
            return self._cache[key]
        value = await self.run(item.target)
        if item.use_cache:
            self._cache[key] = value
        return value

    def _query(self, item: Parameter) -> Any:
        values = self._request.query_params.getlist(item.name)
        if values:
            return _converted(item, values if item.many else values[-1], "query", (item.name,))
        if item.default is inspect.Parameter.empty:
            raise RequestValidationError([FieldError("query", (item.name,), "is missing")])
        return item.default

    async def _body(self, item: Parameter) -> Any:
        body = await self._request.body()
        if not body.strip():
            if item.default is inspect.Parameter.empty:
                raise RequestValidationError([FieldError("body", (), "is missing")])
            return item.default
        kind = (self._request.headers.get("content-type") or "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            raise HTTPException(415, "Send the body as JSON, with the header 'Content-Type: application/json'.")
        return _converted(item, await self._request.json(), "body", ())


def _converted(item: Parameter, value: Any, source: str, loc: tuple[str, ...]) -> Any:
    assert item.convert is not None
    try:
        return item.convert(value, loc)
    except ConvertError as error:
        raise RequestValidationError([FieldError(source, place, message) for place, message in error.problems]) from error
