"""Reports of plates, from the order to what is saved."""

import json
import unittest

from mint_sdk import Headers, JobContext, JobFailed, PlatformContext, Request
from mint_sdk.models import AnalysisArtifact, Job
from mint_sdk.routing.app import RouterApp
from plate_report import PlateReportPlugin
from plate_report.controls import Plate

WELLS = {"A1": 0.1, "B1": 0.12, "A2": 0.61, "B2": 0.11, "A12": 1.1, "B12": 1.12}


class Platform:
    """A backend that keeps jobs and artifacts, and what was told of a job."""

    plugin_id = "plate-report"

    def __init__(self) -> None:
        self.jobs: dict[int, tuple[str, object, dict]] = {}
        self.artifacts: dict[tuple[int, str], AnalysisArtifact] = {}
        self.told: list[tuple[int | None, str | None]] = []

    async def call(self, function, *args, **kwargs):
        return function(*args, **kwargs)

    def enqueue_job(self, kind, payload, options):
        self.jobs[1] = (kind, payload, options)
        return self.get_job(1)

    def get_job(self, job_id):
        return Job(job_id, self.jobs[job_id][0], "queued", 0, False, None, None)

    def report_progress(self, job_id, attempt, percent, message):
        self.told.append((percent, message))
        return False

    def save_artifacts(self, experiment_id, artifacts):
        for item in artifacts:
            key = item.artifact_key
            saved = AnalysisArtifact(1, experiment_id, self.plugin_id, key, key, "active", None, None, result=item.result)
            self.artifacts[experiment_id, key] = saved
        return list(self.artifacts.values())

    def load_artifact(self, experiment_id, plugin_id, key, fields):
        return self.artifacts[experiment_id, key]


class Reports(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.plugin = PlateReportPlugin()
        self.platform = Platform()
        await self.plugin.initialize(PlatformContext(self.platform))
        self.app = RouterApp(list(self.plugin.get_routers()), threads=True)

    async def send(self, method: str, path: str, body: object = None):
        async def chunks():
            yield json.dumps(body).encode()

        headers = Headers([("content-type", "application/json")])
        return await self.app.handle(Request(method, path, headers=headers, chunks=chunks()))

    async def work(self):
        kind, payload, _ = self.platform.jobs[1]
        return await self.plugin.run_job(kind, payload, JobContext(self.platform, 1, 1))

    async def test_from_the_order_to_the_report(self) -> None:
        answer = await self.send("POST", "/experiments/5/reports", {"plate": "P-1", "wells": WELLS})
        self.assertEqual((answer.status_code, json.loads(answer.body)["status"]), (202, "queued"))
        self.assertEqual(self.platform.jobs[1][2]["key"], "5/P-1")
        self.assertEqual((await self.send("GET", "/jobs/1")).status_code, 200)
        self.assertEqual(await self.work(), {"z_factor": 0.9151, "wells": 6})
        self.assertEqual(self.platform.told, [(0, "Row A"), (50, "Row B")])
        report = json.loads((await self.send("GET", "/experiments/5/reports/P-1")).body)
        self.assertEqual((report["activities"]["A2"], report["activities"]["B2"]), (50.0, 0.0))

    async def test_a_plate_without_controls_fails_for_good(self) -> None:
        await self.send("POST", "/experiments/5/reports", {"plate": "P-2", "wells": {"A1": 0.1, "A12": 1.1}})
        with self.assertRaises(JobFailed) as failed:
            await self.work()
        self.assertFalse(failed.exception.retry)
        self.assertIn("Plate P-2: the first and the last column need 2 controls each.", failed.exception.message)
        self.assertEqual(self.platform.artifacts, {})


class Plates(unittest.TestCase):
    def test_what_is_no_plate(self) -> None:
        for wells, words in [
            ({}, "controls each"),
            ({"A1": 1.0, "B1": 2.0}, "controls each"),
            ({"Q1": 1.0}, "Q1 is no well"),
            ({"A25": 1.0}, "A25 is no well"),
            (dict.fromkeys(WELLS, 1.0), "do not differ"),
        ]:
            with self.subTest(wells=wells), self.assertRaisesRegex(ValueError, words):
                Plate(wells)
