"""Cheap calls of the host, and cheap handles of the component's resources.

What the bindings offer is, for each import, a function or method that calls it by its number and unpacks the result. A request
makes some fifteen calls, so those are made with the number itself.

Every object that stands for a resource of the host gets a `weakref.finalize`, which costs more than most calls of the host.
But the object alone refers to its finalizer: what drops the resource when it is deleted itself does the same.
"""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from componentize_py_runtime import call_import as call
from componentize_py_runtime import drop_resource

_finalize = weakref.finalize


class Dropper:
    """The part of `weakref.finalize` that the bindings use: drops a resource when it is deleted, unless detached before."""

    __slots__ = ("_destructor", "_handle")

    def __init__(self, resource: object, drop: object, destructor: int, handle: int) -> None:
        self._destructor = destructor
        self._handle: int | None = handle

    def detach(self) -> tuple[None, Callable[[int, int], None], tuple[int, int], None] | None:
        """`(…, drop, (destructor, handle), …)`, once: the caller has the resource now. None if another one was first."""
        handle, self._handle = self._handle, None
        return None if handle is None else (None, drop_resource, (self._destructor, handle), None)

    def __del__(self) -> None:
        if self._handle is not None:
            drop_resource(self._destructor, self._handle)


class _Asked(Exception):
    """Carries the number of the import that a constructor asks for."""


class _Asking:
    def call_import(self, index: int, arguments: list[Any]) -> Any:
        raise _Asked(index)


def number(binding: Callable[..., Any]) -> int:
    """The number of the import behind a function, method or class of the bindings.

    `call(number, arguments)` gives what the host gives: a resource itself, of a WIT `result` an `Ok` or an `Err`.
    """
    bindings: Any = sys.modules[binding.__module__]
    runtime = bindings.componentize_py_runtime
    bindings.componentize_py_runtime = _Asking()
    try:
        binding(*[None] * len(inspect.signature(binding).parameters))
    except _Asked as asked:
        return asked.args[0]
    finally:
        bindings.componentize_py_runtime = runtime
    raise TypeError(f"{binding!r} does not call the host at once.")


__all__ = ["Dropper", "call", "number", "offer", "withdraw"]


def offer() -> None:
    """Lets the bindings take `Dropper`; to be called when all is imported.

    componentize-py reads the name `weakref.finalize` once, after it has imported the application and before it takes the
    snapshot from which instances start. The modules of the bindings read it again and again, so they get a name of their own.
    """
    weakref.finalize = Dropper  # type: ignore[assignment, misc]  # until `withdraw`
    for name, module in sys.modules.items():
        if name.startswith("wit_world.") and getattr(module, "weakref", None) is weakref:
            module.weakref = SimpleNamespace(finalize=Dropper)  # type: ignore[attr-defined]


def withdraw() -> None:
    """Gives `weakref.finalize` back to everybody else; to be called before code of the plugin runs."""
    weakref.finalize = _finalize  # type: ignore[misc]
