"""Bodies that are made while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable

type Chunks = Iterable[bytes | str] | AsyncIterable[bytes | str]
type ByteStream = AsyncGenerator[bytes, None]


async def first_and_rest(chunks: Chunks, *, threads: bool) -> ByteStream:
    """The same chunks as bytes, the first one already made, so that a source that fails at once is still an error response."""
    source = _as_bytes(chunks, threads)
    first = await anext(source, None)
    return _chain(first, source)


async def _chain(first: bytes | None, source: ByteStream) -> ByteStream:
    try:
        if first is not None:
            yield first
            async for chunk in source:
                yield chunk
    finally:
        await source.aclose()


async def _as_bytes(chunks: Chunks, threads: bool) -> ByteStream:
    if isinstance(chunks, AsyncIterable):
        try:
            async for chunk in chunks:
                yield chunk.encode() if isinstance(chunk, str) else chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        return
    source = iter(chunks)
    while (piece := await asyncio.to_thread(next, source, None) if threads else next(source, None)) is not None:
        yield piece.encode() if isinstance(piece, str) else piece
