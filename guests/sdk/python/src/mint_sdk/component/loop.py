"""An event loop for an instance that has neither sockets nor threads: it runs tasks and timers, and sleeps between them."""

from __future__ import annotations

import asyncio
import threading
import time
from asyncio import Task
from asyncio.events import _set_running_loop
from collections.abc import Coroutine
from typing import Any


class _Sleeper:
    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("The plugin waits for something that nothing in it can bring about.")
        if timeout > 0:
            time.sleep(timeout)
        return []


class ComponentLoop(asyncio.BaseEventLoop):
    """`asyncio.sleep`, `gather`, timeouts, locks and queues work; sockets, subprocesses and threads do not exist."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Sleeper()
        self._only_thread = threading.get_ident()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Runs it to its end; without a turn of the loop if it never has to wait, as most requests do not."""
        self._thread_id = self._only_thread
        _set_running_loop(self)
        try:
            task = Task(work, loop=self, eager_start=True)
        finally:
            _set_running_loop(None)
            self._thread_id = None  # type: ignore[assignment]  # not running
        return task.result() if task.done() else self.run_until_complete(task)

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no events but timers."""

    def _write_to_self(self) -> None:
        """Nobody is in another thread to wake this one."""
