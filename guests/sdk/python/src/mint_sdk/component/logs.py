"""Log records to `wasi:logging`."""

from __future__ import annotations

import logging

from wit_world.imports import wasi_logging_logging_0_1_0_draft as wasi_logging

from ..logs import level_name


class WasiLogHandler(logging.Handler):
    """The logger's name is the context; a traceback is part of the message."""

    def emit(self, record: logging.LogRecord) -> None:
        level = wasi_logging.Level[level_name(record.levelno).upper()]
        wasi_logging.log(level, record.name, self.format(record))
