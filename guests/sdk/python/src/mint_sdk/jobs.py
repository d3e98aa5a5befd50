"""What a job knows of itself, and tells, while it is done."""

from __future__ import annotations

from .backend import Backend


class JobContext:
    """The job that is being done. `ConflictException` means that this attempt is not the job's any more: it should end."""

    def __init__(self, backend: Backend, job_id: int, attempt: int) -> None:
        self._backend = backend
        self.id = job_id
        self.attempt = attempt
        """1 for the first."""

    async def progress(self, percent: int | None = None, message: str | None = None) -> None:
        """Tells how far the job is, and what it does; None leaves what was said before. A sign of life, too."""
        await self._backend.call(self._backend.report_progress, self.id, self.attempt, percent, message)

    async def heartbeat(self) -> None:
        """Gives a sign of life."""
        await self._backend.call(self._backend.give_heartbeat, self.id, self.attempt)

    async def cancelled(self) -> bool:
        """Whether somebody wants the job to end."""
        return (await self._backend.call(self._backend.get_job, self.id)).is_cancelled

    def report(self, percent: int | None = None, message: str | None = None) -> bool:
        """`progress` for code that is not async. Whether somebody wants the job to end."""
        return self._backend.report_progress(self.id, self.attempt, percent, message)
