"""Files of an experiment, streamed: nothing here holds a whole file unless it is asked for as bytes."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from .backend import CHUNK_BYTES, Backend
from .exceptions import ValidationException
from .models import DataObjectRef, check_object_key

type Progress = Callable[[int, int | None], None]
"""Called with the bytes done and, where it is known, the bytes in all."""


class ExperimentDataStore:
    """Uploads of people and this plugin's own objects, by key. A key is a relative path such as `plots/curve.svg`."""

    def __init__(self, backend: Backend, experiment_id: int) -> None:
        self._backend = backend
        self.experiment_id = experiment_id

    async def put_bytes(
        self, key: str, data: bytes, *, content_type: str | None = None, on_progress: Progress | None = None
    ) -> DataObjectRef:
        """Stores bytes under a key, replacing this plugin's object of that key in one step."""
        pieces = (data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES))
        return await self.put_stream(key, pieces, content_type=content_type, size=len(data), on_progress=on_progress)

    async def put_file(
        self, path: str | Path, key: str | None = None, *, content_type: str | None = None, on_progress: Progress | None = None
    ) -> DataObjectRef:
        """Stores a local file, by its own name unless `key` is given."""
        path = Path(path)
        with path.open("rb") as file:
            return await self.put_stream(
                key or path.name, _chunks(file), content_type=content_type, size=path.stat().st_size, on_progress=on_progress
            )

    async def put_fileobj(
        self, fileobj: BinaryIO, key: str, *, content_type: str | None = None, on_progress: Progress | None = None
    ) -> DataObjectRef:
        """Stores what an open file still has to give."""
        return await self.put_stream(key, _chunks(fileobj), content_type=content_type, on_progress=on_progress)

    async def put_stream(
        self,
        key: str,
        chunks: Iterable[bytes] | AsyncIterable[bytes],
        *,
        content_type: str | None = None,
        size: int | None = None,
        on_progress: Progress | None = None,
    ) -> DataObjectRef:
        """Stores bytes as they come, `request.stream()` for example. Nothing is kept if the source fails."""
        if content_type is not None and not (content_type.isascii() and content_type.isprintable()):
            raise ValidationException("A content type is plain text such as 'text/csv'.", "content_type", content_type)
        call = self._backend.call
        writer = await call(self._backend.write_object, self.experiment_id, check_object_key(key), content_type)
        done = 0
        try:
            async for chunk in _as_async(chunks):
                await call(writer.write, chunk)
                done += len(chunk)
                if on_progress is not None:
                    on_progress(done, size)
            return await call(writer.finish)
        except BaseException:
            writer.abort()
            raise

    async def iter_bytes(self, ref: DataObjectRef | str) -> AsyncIterator[bytes]:
        """The bytes of an object in chunks of at most 64 KiB; `NotFoundException` if there is none."""
        call = self._backend.call
        chunks = await call(self._backend.read_object, self.experiment_id, _key(ref))
        try:
            while (chunk := await call(_next, chunks)) is not None:
                yield chunk
        finally:
            chunks.close()

    async def get_bytes(self, ref: DataObjectRef | str) -> bytes:
        """A whole object."""
        return b"".join([chunk async for chunk in self.iter_bytes(ref)])

    async def download_file(self, ref: DataObjectRef | str, path: str | Path, *, on_progress: Progress | None = None) -> Path:
        """Writes an object to a local file."""
        size = ref.size if isinstance(ref, DataObjectRef) else None
        target, done = Path(path), 0
        with target.open("wb") as file:
            async for chunk in self.iter_bytes(ref):
                await self._backend.call(file.write, chunk)
                done += len(chunk)
                if on_progress is not None:
                    on_progress(done, size)
        return target

    async def exists(self, ref: DataObjectRef | str) -> bool:
        """Whether there is such an object."""
        return await self._backend.call(self._backend.object_exists, self.experiment_id, _key(ref))

    async def delete(self, ref: DataObjectRef | str) -> bool:
        """Deletes one of this plugin's objects. False when there was none."""
        return await self._backend.call(self._backend.delete_object, self.experiment_id, _key(ref))

    async def list(self, prefix: str = "") -> list[DataObjectRef]:
        """Objects whose key begins with `prefix`, by key."""
        return await self._backend.call(self._backend.list_objects, self.experiment_id, prefix)


def _key(ref: DataObjectRef | str) -> str:
    return check_object_key(ref.key if isinstance(ref, DataObjectRef) else ref)


def _next(chunks: Iterable[bytes]) -> bytes | None:
    return next(iter(chunks), None)


def _chunks(file: BinaryIO) -> Iterable[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


async def _as_async(chunks: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
    else:
        for chunk in chunks:
            yield chunk
