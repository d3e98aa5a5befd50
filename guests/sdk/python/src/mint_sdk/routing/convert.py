"""Turns text and JSON into the annotated type of a parameter, and says exactly what does not fit."""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, Required, Union
from uuid import UUID

type Loc = tuple[str | int, ...]
type Converter = Callable[[Any, Loc], Any]

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")


class ConvertError(Exception):
    """One or more values that do not fit: (where, why)."""

    def __init__(self, problems: list[tuple[Loc, str]]) -> None:
        super().__init__(problems)
        self.problems = problems


def converter(annotation: Any, *, text: bool) -> Converter:
    """How to read `annotation`: from text (path, query) if `text`, else from parsed JSON. `TypeError` if it cannot be read."""
    return _build(annotation, text, {})


def is_structured(annotation: Any) -> bool:
    """Whether the type is read from the body: an object, or a list of them."""
    annotation = _plain(annotation)
    if dataclasses.is_dataclass(annotation) or typing.is_typeddict(annotation):
        return True
    origin = typing.get_origin(annotation) or annotation
    if origin in (dict, Any):
        return True
    if origin in (list, set, tuple, Union, types.UnionType):
        return any(is_structured(item) for item in typing.get_args(annotation))
    return False


def is_many(annotation: Any) -> bool:
    """Whether a query parameter of this type takes every value given."""
    annotation = _plain(annotation)
    if typing.get_origin(annotation) in (Union, types.UnionType):
        return any(is_many(item) for item in typing.get_args(annotation))
    return (typing.get_origin(annotation) or annotation) in (list, set, tuple)


def _plain(annotation: Any) -> Any:
    while typing.get_origin(annotation) in (Annotated, Required, NotRequired):
        annotation = typing.get_args(annotation)[0]
    return annotation


def _fail(loc: Loc, message: str) -> ConvertError:
    return ConvertError([(loc, message)])


def _build(annotation: Any, text: bool, seen: dict[Any, Converter]) -> Converter:
    annotation = _plain(annotation)
    if isinstance(annotation, typing.TypeAliasType):
        return _build(annotation.__value__, text, seen)
    if annotation is Any or annotation is object:
        return lambda value, loc: value
    if annotation is None or annotation is type(None):
        return _none
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return _union(args, text, seen)
    if origin is Literal:
        return _choice({option: option for option in args}, text)
    if (origin or annotation) in (list, set, tuple, Sequence):
        return _list(origin or annotation, args, text, seen)
    if (origin or annotation) is dict:
        return _dict(args, text, seen)
    if typing.is_typeddict(annotation) or dataclasses.is_dataclass(annotation):
        return _object(annotation, text, seen)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _choice({member.value: member for member in annotation}, text)
    if annotation in _SCALARS:
        return _SCALARS[annotation][0 if text else 1]
    raise TypeError(f"cannot read a request into {annotation!r}")


def _none(value: Any, loc: Loc) -> None:
    if value is not None:
        raise _fail(loc, "must be null")


def _union(args: tuple[Any, ...], text: bool, seen: dict[Any, Converter]) -> Converter:
    optional = type(None) in args
    branches = [_build(item, text, seen) for item in args if item is not type(None)]

    def convert(value: Any, loc: Loc) -> Any:
        if value is None and optional:
            return None
        problems: list[tuple[Loc, str]] = []
        for branch in branches:
            try:
                return branch(value, loc)
            except ConvertError as error:
                problems.extend(error.problems)
        if len(branches) == 1:
            raise ConvertError(problems)
        raise _fail(loc, " or ".join(dict.fromkeys(message for _, message in problems)))

    return convert


def _choice(options: dict[Any, Any], text: bool) -> Converter:
    by_key = {str(key) if text else (type(key), key): value for key, value in options.items()}
    listing = ", ".join(repr(key) for key in options)

    def convert(value: Any, loc: Loc) -> Any:
        key = value if text else (type(value), value)
        if isinstance(value, list | dict) or key not in by_key:
            raise _fail(loc, f"must be one of {listing}")
        return by_key[key]

    return convert


def _list(origin: Any, args: tuple[Any, ...], text: bool, seen: dict[Any, Converter]) -> Converter:
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        raise TypeError("cannot read a request into a tuple of fixed length; use tuple[T, ...] or a dataclass")
    item = _build(args[0] if args else Any, text, seen)
    make = {set: set, tuple: tuple}.get(origin, list)

    def convert(value: Any, loc: Loc) -> Any:
        if not isinstance(value, list):
            raise _fail(loc, "must be a list")
        return make(_all((loc + (index,), lambda place, entry=entry: item(entry, place)) for index, entry in enumerate(value)))

    return convert


def _dict(args: tuple[Any, ...], text: bool, seen: dict[Any, Converter]) -> Converter:
    if args and _plain(args[0]) not in (str, Any):
        raise TypeError("keys of a JSON object are text: use dict[str, T]")
    item = _build(args[1] if args else Any, text, seen)

    def convert(value: Any, loc: Loc) -> Any:
        if not isinstance(value, dict):
            raise _fail(loc, "must be an object")
        entries = _all((loc + (key,), lambda place, entry=entry: item(entry, place)) for key, entry in value.items())
        return dict(zip(value, entries, strict=True))

    return convert


def _object(annotation: Any, text: bool, seen: dict[Any, Converter]) -> Converter:
    if annotation in seen:
        return lambda value, loc: seen[annotation](value, loc)
    seen[annotation] = _none
    hints = typing.get_type_hints(annotation, include_extras=True)
    if typing.is_typeddict(annotation):
        names, required = list(hints), set(annotation.__required_keys__)
    else:
        members = [member for member in dataclasses.fields(annotation) if member.init]
        names = [member.name for member in members]
        required = {m.name for m in members if m.default is dataclasses.MISSING and m.default_factory is dataclasses.MISSING}
    readers = {name: _build(hints[name], text, seen) for name in names}

    def read(source: dict[str, Any], name: str, place: Loc) -> Any:
        if name not in source:
            raise _fail(place, "is missing")
        return readers[name](source[name], place)

    def convert(value: Any, loc: Loc) -> Any:
        if not isinstance(value, dict):
            raise _fail(loc, "must be an object")
        wanted = [name for name in names if name in value or name in required]
        found = _all((loc + (name,), lambda place, name=name: read(value, name, place)) for name in wanted)
        try:
            return annotation(**dict(zip(wanted, found, strict=True)))
        except ValueError as error:
            raise _fail(loc, str(error)) from error

    seen[annotation] = convert
    return convert


def _all(steps: Any) -> list[Any]:
    """Runs every step, so that all mistakes are reported together."""
    values, problems = [], []
    for place, step in steps:
        try:
            values.append(step(place))
        except ConvertError as error:
            problems.extend(error.problems)
    if problems:
        raise ConvertError(problems)
    return values


def _scalar(message: str, parse: Callable[[Any], Any], *accepted: type) -> Converter:
    def convert(value: Any, loc: Loc) -> Any:
        if type(value) not in accepted:
            raise _fail(loc, message)
        try:
            return parse(value)
        except (ValueError, OverflowError) as error:
            raise _fail(loc, message) from error

    return convert


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _integer(value: str) -> int:
    if not _INTEGER.fullmatch(value):
        raise ValueError
    return int(value)


def _boolean(value: str) -> bool:
    states = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if value.lower() not in states:
        raise ValueError
    return states[value.lower()]


def _both(message: str, parse: Callable[[str], Any]) -> tuple[Converter, Converter]:
    reader = _scalar(message, parse, str)
    return reader, reader


_SCALARS: dict[Any, tuple[Converter, Converter]] = {
    str: _both("must be text", str),
    int: (_scalar("must be a whole number", _integer, str), _scalar("must be a whole number", int, int)),
    float: (_scalar("must be a finite number", _finite, str), _scalar("must be a finite number", _finite, int, float)),
    bool: (_scalar("must be true or false", _boolean, str), _scalar("must be true or false", bool, bool)),
    datetime: _both("must be a date and time such as 2026-01-31T12:00:00Z", datetime.fromisoformat),
    date: _both("must be a date such as 2026-01-31", date.fromisoformat),
    UUID: _both("must be a UUID", UUID),
}
