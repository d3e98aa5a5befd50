"""Logs of a plugin. In a component a record goes to the platform directly, in a process as one line of JSON on stderr."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the request being answered, for every record written meanwhile."""

LEVELS = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warn"),
    (logging.INFO, "info"),
    (logging.DEBUG, "debug"),
)


def get_plugin_logger(name: str) -> logging.Logger:
    """A standard logger; use it as any other: `logger.info("Fitted %d curves", n)`."""
    return logging.getLogger(name)


def level_name(levelno: int) -> str:
    """The platform's name of a Python level: trace, debug, info, warn, error or critical."""
    return next((name for number, name in LEVELS if levelno >= number), "trace")


def install(handler: logging.Handler) -> None:
    """Sends all records of level INFO and above to `handler` only."""
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


class JsonLines(logging.Formatter):
    """`{"ts", "level", "logger", "message", "request_id"?}`; a traceback is part of the message."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": level_name(record.levelno),
            "logger": record.name,
            "message": super().format(record),
        }
        current = request_id.get()
        if current is not None:
            entry["request_id"] = current
        return json.dumps(entry, ensure_ascii=False)
