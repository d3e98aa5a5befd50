"""Bytes through `wasi:io/streams`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from componentize_py_types import Err
from wit_world.imports.wasi_io_streams_0_2_12 import StreamError_Closed

from ..exceptions import UnavailableException

WRITE_BYTES_MAX = 4096
"""Most bytes that `blocking-write-and-flush` takes at once."""


def read_chunks(stream: Any, chunk_bytes: int) -> Generator[bytes, None, None]:
    """Everything that an input stream still gives; the stream is dropped at the end or when the generator is closed."""
    with stream:
        while True:
            try:
                chunk = stream.blocking_read(chunk_bytes)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return
                raise UnavailableException("The stream broke off.") from error
            if chunk:
                yield chunk


def write_chunk(stream: Any, data: bytes) -> None:
    """Writes all of it, waiting while the other side is slow. `Err` when the other side is gone."""
    if len(data) <= WRITE_BYTES_MAX:
        if data:
            stream.blocking_write_and_flush(bytes(data))
        return
    view, start = memoryview(data), 0
    while start < len(view):
        room = stream.check_write()
        if room == 0:
            with stream.subscribe() as writable:
                writable.block()
            continue
        stream.write(bytes(view[start : start + room]))
        start += room
    stream.blocking_flush()
