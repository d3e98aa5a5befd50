"""Jobs: asked for, looked at and taken back; and done, as the platform asks a process for them."""

import asyncio
import time
import unittest
from datetime import UTC, datetime
from typing import Any

from mint_sdk import (
    AnalysisPlugin,
    ConflictException,
    JobContext,
    JobFailed,
    NotFoundException,
    PlatformContext,
    PluginMetadata,
)
from mint_sdk.app import create_app
from mint_sdk.process.backend import ProcessBackend
from mint_sdk.process.client import PlatformClient
from mint_sdk.process.config import read_config

from .fake_platform import FakePlatform
from .support import USER
from .test_process import TRUSTED, Answer, Client


class Idle(AnalysisPlugin):
    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata("demo", "1.0.0", "Demo.", "demo", "/demo")


class Worker(Idle):
    """Does what the kind of the job says."""

    def __init__(self) -> None:
        self.was_cut_short = asyncio.Event()

    async def run_job(self, kind: str, payload: Any, job: JobContext) -> Any:
        match kind:
            case "double":
                await job.progress(50, "half")
                await job.heartbeat()
                return {"doubled": payload * 2, "attempt": job.attempt, "cancelled": await job.cancelled()}
            case "hopeless":
                raise JobFailed("The plate is empty.", retry=False)
            case "unlucky":
                raise JobFailed("The balance does not answer.")
            case "broken":
                raise KeyError("plate")
            case "no JSON":
                return object()
            case "endless":
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    self.was_cut_short.set()
                    raise


class Blocking(Idle):
    def run_job(self, kind: str, payload: Any, job: JobContext) -> Any:
        if kind == "sleep":
            time.sleep(0.2)
        return [job.report(), job.report(10, "begun")]


class Repository(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.platform = self.enterContext(FakePlatform("demo"))
        client = PlatformClient(read_config(self.platform.environment()).platform)
        self.addCleanup(client.close)
        self.backend = ProcessBackend(client)
        self.jobs = PlatformContext(self.backend).get_job_repository()

    async def test_what_is_asked_for(self) -> None:
        job = await self.jobs.enqueue("report", {"plate": 7}, key="plate-7", delay=60, retries=3, heartbeat=30)
        self.assertEqual((job.id, job.kind, job.status, job.attempt, job.user_id), (1, "report", "queued", 0, 7))
        self.assertEqual((job.created_at, job.started_at), (datetime(2026, 1, 31, 12, 0, 0, 123456, UTC), None))
        asked = {"kind": "report", "payload": {"plate": 7}, "key": "plate-7", "delay_seconds": 60, "retries": 3}
        self.assertEqual(self.platform.jobs[1]["asked"], asked | {"heartbeat_seconds": 30})
        self.assertEqual((await self.jobs.enqueue("report", key="plate-7")).id, 1)
        plain = await self.jobs.enqueue("report")
        asked = {"kind": "report", "payload": None, "key": None, "delay_seconds": 0, "retries": 0, "heartbeat_seconds": None}
        self.assertEqual(self.platform.jobs[plain.id]["asked"], asked)

    async def test_looked_at_and_taken_back(self) -> None:
        first, second = await self.jobs.enqueue("a"), await self.jobs.enqueue("b")
        self.assertEqual([job.id for job in await self.jobs.list()], [second.id, first.id])
        self.assertEqual([job.id for job in await self.jobs.list(skip=1, limit=1)], [first.id])
        self.assertEqual((await self.jobs.get(first.id)).kind, "a")
        self.assertIsNone(await self.jobs.get(99))
        cancelled = [await self.jobs.cancel(first.id), await self.jobs.cancel(first.id), await self.jobs.cancel(99)]
        self.assertEqual(cancelled, [True, False, False])

    async def test_an_attempt_that_is_not_the_jobs_any_more(self) -> None:
        await self.jobs.enqueue("a")
        for attempt in (JobContext(self.backend, 1, 5).progress(1), JobContext(self.backend, 1, 5).heartbeat()):
            with self.assertRaises(ConflictException):
                await attempt
        with self.assertRaises(NotFoundException):
            await JobContext(self.backend, 99, 1).cancelled()


class Work(unittest.IsolatedAsyncioTestCase):
    async def start(self, plugin: AnalysisPlugin) -> Client:
        self.platform = self.enterContext(FakePlatform("demo"))
        self.platform.jobs[1] = {"attempt": 2, "is_cancelled": False, "id": 1, "kind": "x", "status": "running"}
        self.platform.jobs[1] |= {"created_at": "2026-01-31T12:00:00Z", "run_at": "2026-01-31T12:00:00Z"}
        client = Client(create_app(plugin, read_config(self.platform.environment())))
        self.assertEqual((await client.start())["type"], "lifespan.startup.complete")
        self.addAsyncCleanup(client.stop)
        return client

    async def do(self, client: Client, kind: str, payload: Any = None) -> Answer:
        body = {"id": 1, "attempt": 2, "kind": kind, "payload": payload}
        return await client.request("POST", "/__mint/jobs", body)

    async def test_done_or_failed(self) -> None:
        client = await self.start(Worker())
        done = await self.do(client, "double", 21)
        self.assertEqual((done.status, done.json()), (200, {"outcome": {"doubled": 42, "attempt": 2, "cancelled": False}}))
        self.assertEqual((self.platform.jobs[1]["percent"], self.platform.jobs[1]["message"]), (50, "half"))
        self.assertEqual((await self.do(client, "nothing")).json(), {"outcome": None})
        cases = [
            ("hopeless", {"message": "The plate is empty.", "is_final": True}),
            ("unlucky", {"message": "The balance does not answer.", "is_final": False}),
        ]
        for kind, expected in cases:
            answer = await self.do(client, kind)
            self.assertEqual((answer.status, answer.json()), (422, expected))
        for kind, words in (("broken", "KeyError: 'plate'"), ("no JSON", "TypeError: object cannot be written as JSON")):
            with self.assertLogs("mint_sdk", "ERROR"):
                answer = await self.do(client, kind)
            self.assertEqual((answer.status, answer.json()), (422, {"message": words, "is_final": False}))

    async def test_it_acts_for_the_person_of_the_request(self) -> None:
        client = await self.start(Worker())
        await self.do(client, "double", 1)
        named = {path: headers.get("x-mint-user-id") for _, path, headers in self.platform.calls if path.startswith("/jobs")}
        self.assertEqual(named, {"/jobs/1/progress": "7", "/jobs/1/heartbeat": "7", "/jobs/1": "7"})

    async def test_blocking_work_holds_up_nothing(self) -> None:
        client = await self.start(Blocking())
        self.platform.jobs[1]["is_cancelled"] = True
        job = asyncio.create_task(self.do(client, "sleep"))
        await asyncio.sleep(0.05)
        self.assertEqual((await client.request("GET", "/api/demo/none")).status, 404)
        self.assertFalse(job.done())
        self.assertEqual((await job).json(), {"outcome": [True, True]})
        self.assertEqual(self.platform.jobs[1]["message"], "begun")

    async def test_work_for_which_nobody_waits_is_cut_short(self) -> None:
        plugin = Worker()
        client = await self.start(plugin)
        job = asyncio.create_task(self.do(client, "endless"))
        await asyncio.sleep(0.05)
        self.assertFalse(plugin.was_cut_short.is_set())
        client.goes_away.set()
        self.assertEqual((await job).json(), {"message": "It was cut short.", "is_final": False})
        self.assertTrue(plugin.was_cut_short.is_set())

    async def test_only_the_platform_asks_and_asks_well(self) -> None:
        client = await self.start(Worker())
        body = {"id": 1, "attempt": 2, "kind": "double", "payload": 1}
        cases = [
            (body, USER, 403),
            (body, TRUSTED | {"x-mint-plugin-name": "other"}, 403),
            (body, TRUSTED | {"x-mint-platform-api-version": "2"}, 426),
            (body | {"id": "1"}, TRUSTED, 400),
            ({"id": 1, "attempt": 2, "kind": "double"}, TRUSTED, 400),
            ([], TRUSTED, 400),
        ]
        for sent, headers, status in cases:
            with self.subTest(sent=sent, headers=headers):
                self.assertEqual((await client.request("POST", "/__mint/jobs", sent, headers)).status, status)

    async def test_a_plugin_without_jobs(self) -> None:
        self.assertEqual((await self.do(await self.start(Idle()), "double")).status, 404)
        with self.assertRaises(JobFailed) as failed:
            await Idle().run_job("double", 1, JobContext(None, 1, 1))
        self.assertFalse(failed.exception.retry)
