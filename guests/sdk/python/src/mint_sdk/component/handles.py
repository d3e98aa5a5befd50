"""Cheap handles of the component's resources.

Every object that stands for a resource of the host gets a `weakref.finalize`, which costs more than most calls of the host.
But the object alone refers to its finalizer: what drops the resource when it is deleted itself does the same.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

_finalize = weakref.finalize


class Dropper:
    """The part of `weakref.finalize` that the bindings use: drops a resource when it is deleted, unless detached before."""

    __slots__ = ("_arguments", "_drop")

    def __init__(self, resource: object, drop: Callable[[int, int], None], destructor: int, handle: int) -> None:
        self._drop: Callable[[int, int], None] | None = drop
        self._arguments = (destructor, handle)

    def detach(self) -> tuple[None, Callable[[int, int], None], tuple[int, int], None] | None:
        """`(…, drop, (destructor, handle), …)`, once: the caller has the resource now. None if another one was first."""
        drop, self._drop = self._drop, None
        return None if drop is None else (None, drop, self._arguments, None)

    def __del__(self) -> None:
        if self._drop is not None:
            self._drop(*self._arguments)


class _Asked(Exception):
    """Carries the number of the import that a constructor asks for."""


class _Asking:
    def call_import(self, index: int, arguments: list[Any]) -> Any:
        raise _Asked(index)


def constructor(resource: type) -> Callable[..., Any]:
    """Makes a `resource` at half the cost of `resource(…)`, which makes two objects and moves the host's from one to the other."""
    bindings: Any = sys.modules[resource.__module__]
    runtime = bindings.componentize_py_runtime
    bindings.componentize_py_runtime = _Asking()
    try:
        resource(*[None] * (resource.__init__.__code__.co_argcount - 1))
    except _Asked as asked:
        index = asked.args[0]
    finally:
        bindings.componentize_py_runtime = runtime
    return lambda *arguments: runtime.call_import(index, list(arguments))


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
