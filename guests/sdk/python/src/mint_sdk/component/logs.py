"""Log records to `wasi:logging`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from wit_world.imports import wasi_logging_logging_0_1_0_draft as wasi_logging

from ..logs import install, level_name
from .handles import call, number

_LOG = number(wasi_logging.log)
_LEVELS = {number: wasi_logging.Level[level_name(number).upper()] for number in range(1, logging.CRITICAL + 1)}


def _level(number: int) -> wasi_logging.Level:
    return _LEVELS.get(number) or (wasi_logging.Level.CRITICAL if number > 0 else wasi_logging.Level.TRACE)


def _values(args: tuple[Any, ...]) -> Any:
    """`logger.info("%(name)s", {"name": …})` is meant, too."""
    return args[0] if len(args) == 1 and isinstance(args[0], Mapping) and args[0] else args


class WasiLogHandler(logging.Handler):
    """The logger's name is the context; a traceback is part of the message."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            wasi_logging.log(_level(record.levelno), record.name, self.format(record))
        except Exception:
            self.handleError(record)


class WasiLogger(logging.Logger):
    """Gives the host what its one handler would give, without a record: that costs more than all the rest of a small request.

    Whatever a plugin adds to `logging` (a handler, a filter, a formatter, a record of its own) is obeyed in the usual way.
    """

    def _log(self, level: int, msg: object, args: Any, *more: Any, **options: Any) -> None:
        if more or options or not self._is_plain():
            super()._log(level, msg, args, *more, **options)
            return
        try:
            text = str(msg) % _values(args) if args else str(msg)
        except Exception:
            # Told, or passed over, in the usual way.
            super()._log(level, msg, args)
        else:
            call(_LOG, (_level(level), self.name, text))

    def _is_plain(self) -> bool:
        logger: logging.Logger | None = self
        while logger is not _root:
            if logger is None or logger.handlers or logger.filters or not logger.propagate:
                return False
            logger = logger.parent
        if _root.handlers != _only_handler or logging.getLogRecordFactory() is not logging.LogRecord:
            return False
        return not (_root.filters or _handler.filters or _handler.formatter or _handler.level)


_root = logging.getLogger()
_handler = WasiLogHandler()
_only_handler = [_handler]


def begin() -> None:
    """Sends everything that is logged to the host. To be called before the plugin makes its loggers."""
    install(_handler)
    logging.setLoggerClass(WasiLogger)
    logging.raiseExceptions = False
