"""Reads the signature of a handler or dependency once, into a plan that each request follows."""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Annotated, Any

from .convert import Converter, ConvertError, converter, is_many, is_structured
from .errors import FieldError, HTTPException, RequestValidationError
from .messages import Request

SIGNATURES_KEPT_MAX = 256


@dataclass(frozen=True, eq=False)
class Depends:
    """Marks a parameter as the result of another callable, called once per request unless `use_cache=False`."""

    dependency: Callable[..., Any]
    use_cache: bool = True


@dataclass(slots=True)
class Parameter:
    """One parameter of a callable. Its value is the request, what `read` finds in it, the result of `target`, or the body."""

    name: str
    is_request: bool = False
    """Whether it is the request itself."""
    read: Callable[[Request], Any] | None = None
    target: Callee | None = None
    use_cache: bool = False
    """Whether others want the same result of `target`."""
    convert: Converter | None = None
    """How to read the body."""
    default: Any = inspect.Parameter.empty
    """For an empty body."""


@dataclass(frozen=True, slots=True)
class Callee:
    """A callable and where its parameters come from."""

    function: Callable[..., Any]
    is_async: bool
    parameters: list[Parameter] = field(default_factory=list)
    by_position: bool = False
    """Whether its arguments can be passed without their names, which costs less."""
    takes_request_only: bool = False
    """Whether it is `async` and takes the request, by position, and nothing else."""


def plan(function: Callable[..., Any], path_names: frozenset[str]) -> Callee:
    """The plan for `function` under a path with these parameters. `TypeError` says what cannot be bound."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{_name(function)}: a handler or dependency returns a value; it cannot `yield`.")
    signature = _signature(function)
    parameters = [_parameter(function, item, hint, path_names) for item, hint in signature]
    if sum(item.convert is not None for item in parameters) > 1:
        raise TypeError(f"{_name(function)}: take one body parameter; join them in one dataclass.")
    is_async = _is_async(function)
    by_position = _is_plain(function) and all(item.kind is item.POSITIONAL_OR_KEYWORD for item, _ in signature)
    takes_request_only = is_async and by_position and len(parameters) == 1 and parameters[0].is_request
    return Callee(function, is_async, parameters, by_position, takes_request_only)


def plan_route(
    handler: Callable[..., Any], dependencies: Sequence[Depends], path_names: frozenset[str]
) -> tuple[Callee | None, Callee]:
    """The plans for what is called for its effect before a handler, if there is anything, and for the handler."""
    parameters = [_dependency(str(index), item, path_names) for index, item in enumerate(dependencies)]
    before = Callee(_forget, True, parameters, by_position=True) if parameters else None
    planned = plan(handler, path_names)
    _keep_only_what_others_want([*parameters, *planned.parameters])
    return before, planned


def _keep_only_what_others_want(parameters: list[Parameter]) -> None:
    every = list(_dependencies(parameters))
    wanted = Counter(callee.function for item, callee in every if item.use_cache)
    for item, callee in every:
        item.use_cache = item.use_cache and wanted[callee.function] > 1


def _dependencies(parameters: list[Parameter]) -> Iterator[tuple[Parameter, Callee]]:
    for item in parameters:
        if item.target is not None:
            yield item, item.target
            yield from _dependencies(item.target.parameters)


async def _forget(*results: Any) -> None:
    """What dependencies give that are called for their effect."""


def _dependency(name: str, depends: Depends, path_names: frozenset[str]) -> Parameter:
    return Parameter(name, target=plan(depends.dependency, path_names), use_cache=depends.use_cache)


def _signature(function: Callable[..., Any]) -> list[tuple[inspect.Parameter, Any]]:
    if inspect.isfunction(function):
        return _signature_of_function(function)
    if inspect.ismethod(function) and inspect.isfunction(function.__func__):
        # Found again for the next object of the class.
        first, *rest = _signature_of_function(function.__func__) or [None]
        return rest if first is not None and first[0].kind is not first[0].VAR_POSITIONAL else _inspected(function)
    return _inspected(function)


@lru_cache(maxsize=SIGNATURES_KEPT_MAX)
def _signature_of_function(function: Callable[..., Any]) -> list[tuple[inspect.Parameter, Any]]:
    return _inspected(function)


def _inspected(function: Callable[..., Any]) -> list[tuple[inspect.Parameter, Any]]:
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
        return _dependency(item.name, depends, path_names)
    annotation = str if hint is item.empty else hint
    if isinstance(annotation, type) and issubclass(annotation, Request):
        return Parameter(item.name, is_request=True)
    from_path = item.name in path_names
    from_body = not from_path and is_structured(annotation)
    try:
        convert = converter(annotation, text=not from_body)
    except TypeError as error:
        raise TypeError(f"{_name(function)}: parameter '{item.name}': {error}.") from error
    if from_body:
        return Parameter(item.name, convert=convert, default=item.default)
    if from_path:
        return Parameter(item.name, read=_path_reader(item.name, convert))
    return Parameter(item.name, read=_query_reader(item.name, convert, is_many(annotation), item.default))


def _path_reader(name: str, convert: Converter) -> Callable[[Request], Any]:
    loc = (name,)

    def read(request: Request) -> Any:
        return _converted(convert, request.path_params[name], "path", loc)

    return read


def _query_reader(name: str, convert: Converter, many: bool, default: Any) -> Callable[[Request], Any]:
    loc = (name,)

    def read(request: Request) -> Any:
        values = request.query_params.getlist(name)
        if values:
            return _converted(convert, values if many else values[-1], "query", loc)
        if default is inspect.Parameter.empty:
            raise RequestValidationError([FieldError("query", loc, "is missing")])
        return default

    return read


def _depends(item: inspect.Parameter, hint: Any) -> Depends | None:
    if isinstance(item.default, Depends):
        return item.default
    if typing.get_origin(hint) is Annotated:
        return next((extra for extra in typing.get_args(hint)[1:] if isinstance(extra, Depends)), None)
    return None


def _is_plain(function: Callable[..., Any]) -> bool:
    """Whether its signature is its own. A wrapper may look for the arguments of what it wraps by their names."""
    return inspect.isroutine(function) and not any(hasattr(function, name) for name in ("__wrapped__", "__signature__"))


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def run(callee: Callee, request: Request, results: dict[Callable[..., Any], Any], threads: bool) -> Awaitable[Any]:
    """Calls it with everything bound; `RequestValidationError` lists all that does not fit.

    `results` are those of dependencies that this request has called. `threads` says whether functions that are not `async`
    run in a worker thread.
    """
    if callee.takes_request_only:
        return callee.function(request)
    return _bind_and_run(callee, request, results, threads)


async def _bind_and_run(callee: Callee, request: Request, results: dict[Callable[..., Any], Any], threads: bool) -> Any:
    values: list[Any] = []
    errors: list[FieldError] | None = None
    for item in callee.parameters:
        try:
            if item.is_request:
                value = request
            elif item.read is not None:
                value = item.read(request)
            elif item.target is None:
                value = await _body(item, request)
            elif not item.use_cache:
                value = await run(item.target, request, results, threads)
            elif (key := item.target.function) in results:
                value = results[key]
            else:
                value = results[key] = await run(item.target, request, results, threads)
            values.append(value)
        except RequestValidationError as error:
            errors = [*(errors or ()), *error.errors]
    if errors is not None:
        raise RequestValidationError(errors)
    call = callee.function
    if not callee.by_position:
        call = partial(call, **{item.name: value for item, value in zip(callee.parameters, values, strict=True)})
        values = []
    if callee.is_async:
        return await call(*values)
    return await asyncio.to_thread(call, *values) if threads else call(*values)


async def _body(item: Parameter, request: Request) -> Any:
    body = await request.body()
    if not body.strip():
        if item.default is inspect.Parameter.empty:
            raise RequestValidationError([FieldError("body", (), "is missing")])
        return item.default
    kind = (request.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise HTTPException(415, "Send the body as JSON, with the header 'Content-Type: application/json'.")
    assert item.convert is not None
    return _converted(item.convert, await request.json(), "body", ())


def _converted(convert: Converter, value: Any, source: str, loc: tuple[str, ...]) -> Any:
    try:
        return convert(value, loc)
    except ConvertError as error:
        raise RequestValidationError([FieldError(source, place, message) for place, message in error.problems]) from error
