"""Repositories, files, settings and roles over the internal API, and the plugin's own shortcuts to them."""

import tempfile
import unittest
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mint_sdk import (
    AnalysisArtifactInput,
    AnalysisPlugin,
    APIRouter,
    ConfigurationException,
    ConflictException,
    NotFoundException,
    PermissionException,
    PlatformContext,
    PluginMetadata,
    Request,
    ValidationException,
)
from mint_sdk.exceptions import from_problem
from mint_sdk.identity import PluginActor
from mint_sdk.process.backend import ProcessBackend
from mint_sdk.process.client import PlatformClient, to_exception
from mint_sdk.process.config import read_config
from mint_sdk.routing import Headers, HTTPException

from .fake_platform import FakePlatform
from .support import USER


@dataclass
class Settings:
    greeting: str = "Hello"
    limit: int = 3


class Plugin(AnalysisPlugin):
    settings_model = Settings

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata("demo", "1.0.0", "Demo.", "demo", "/demo")


class Connected(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        self.platform = self.enterContext(FakePlatform("demo"))
        client = PlatformClient(read_config(self.platform.environment()).platform)
        self.addCleanup(client.close)
        self.context = PlatformContext(ProcessBackend(client))
        self.plugin = Plugin()
        await self.plugin.initialize(self.context)

    async def test_experiments(self) -> None:
        experiments = self.context.get_experiment_repository()
        seed = await experiments.get_by_id(42)
        self.assertEqual(seed.created_at, datetime(2026, 1, 31, 12, 0, 0, 123456, UTC))
        made = await experiments.create("New", "demo", notes="n", tags={"a": 1})
        self.assertEqual((made.id, made.notes, made.tags), (43, "n", {"a": 1}))
        self.assertEqual((await experiments.update(43, name="Newer", status="ongoing")).status, "ongoing")
        self.assertIsNone(await experiments.update(99, name="x"))
        found, total = await experiments.list_all(search="new", limit=5)
        self.assertEqual(([item.name for item in found], total), (["Newer"], 1))
        self.assertEqual([await experiments.delete(43), await experiments.delete(43)], [True, False])
        self.assertIsNone(await experiments.get_by_id(43))

    async def test_designs_and_results(self) -> None:
        plugin = self.plugin
        self.assertEqual(await plugin.load(42), (None, None))
        design, result = await plugin.save(42, design={"wells": 96}, analysis={"a": 1, "b": 2})
        self.assertEqual((design.plugin_id, design.schema_version, result.result), ("demo", "1.0", {"a": 1, "b": 2}))
        self.assertEqual((await plugin.load_analysis(42, ["b"])).result, {"b": 2})
        self.assertEqual(len(await plugin.load_analyses(42)), 1)
        self.assertTrue(await self.context.get_experiment_repository().has_design_data(42))
        old = self.context.get_plugin_data_repository()
        self.assertEqual((await old.get_experiment_data(42)).data, {"wells": 96})
        self.assertEqual(
            [await plugin.delete_design(42), await plugin.delete_analysis(42), await plugin.delete_analysis(42)],
            [True, True, False],
        )
        with self.assertRaises(NotFoundException):
            await plugin.save_analysis(99, {})

    async def test_artifacts(self) -> None:
        plugin = self.plugin
        saved = await plugin.save_analysis_artifacts(
            42, [AnalysisArtifactInput("b", {"x": 1}), AnalysisArtifactInput("a", {"y": 2}, "A", "n")]
        )
        self.assertEqual(
            [(item.artifact_key, item.display_name, item.note) for item in saved], [("b", "b", None), ("a", "A", "n")]
        )
        self.assertEqual((await plugin.load_analysis_artifact(42, "a")).result, {"y": 2})
        self.assertIsNone(await plugin.load_analysis_artifact(42, "zzz"))
        self.assertEqual([item.result_keys for item in await plugin.load_analysis_artifacts(42)], [["x"], ["y"]])
        self.assertEqual((await plugin.archive_analysis_artifact(42, "a")).status, "archived")
        self.assertEqual((await plugin.restore_analysis_artifact(42, "a")).status, "active")
        with self.assertRaises(ValueError):
            await plugin.save_analysis_artifacts(42, [AnalysisArtifactInput("b", {}), AnalysisArtifactInput("b", {})])

    async def test_a_plugin_writes_only_in_its_own_name(self) -> None:
        experiments = self.context.get_experiment_repository()
        with self.assertRaises(PermissionException) as refused:
            await experiments.save_analysis_result(42, "other", {})
        self.assertEqual(refused.exception.required_permission, "analysis_results.self")
        self.assertTrue(str(refused.exception).startswith("The plugin 'demo'"))
        with self.assertRaises(PermissionException):
            await experiments.save_design_data(42, "other", {})

    async def test_files(self) -> None:
        store, seen = self.plugin.get_data_store(42), []
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "in.bin")
            source.write_bytes(b"x" * 200_000)
            ref = await store.put_file(source, content_type="a/b", on_progress=lambda done, size: seen.append((done, size)))
            self.assertEqual((ref.key, ref.size, seen[-1]), ("in.bin", 200_000, (200_000, 200_000)))
            target = await store.download_file(ref, Path(folder, "out.bin"))
            self.assertEqual(target.read_bytes(), source.read_bytes())
            with source.open("rb") as file:
                await store.put_fileobj(file, "deep/copy.bin")
        self.assertEqual(await store.get_bytes("deep/copy.bin"), b"x" * 200_000)
        self.assertEqual([await store.exists("in.bin"), await store.exists("none")], [True, False])
        self.assertEqual([item.key for item in await store.list("deep/")], ["deep/copy.bin"])
        self.assertEqual([await store.delete(ref), await store.delete(ref)], [True, False])
        await store.put_bytes("empty", b"")
        self.assertEqual(await store.get_bytes("empty"), b"")

    async def test_an_upload_that_fails_leaves_nothing(self) -> None:
        async def source():
            yield b"x"
            raise RuntimeError("no more")

        with self.assertRaises(RuntimeError):
            await self.plugin.get_data_store(42).put_stream("half", source())
        self.assertFalse(await self.plugin.get_data_store(42).exists("half"))
        for key in ("", "/a", "a//b", "../a", "a\\b", "a/."):
            with self.assertRaises(ValidationException):
                await self.plugin.get_data_store(42).put_bytes(key, b"")
        with self.assertRaises(ValidationException):
            await self.plugin.get_data_store(42).put_bytes("a", b"", content_type="a\r\nb")

    async def test_users_and_roles(self) -> None:
        users = self.context.get_user_repository()
        self.assertEqual((await users.get_by_username("ada")).id, 7)
        self.assertEqual(((await users.get_by_id(7)).username, await users.get_by_id(8)), ("ada", None))
        self.assertEqual(len(await users.list_all()), 1)
        request = Request("GET", "/", headers=Headers(USER.items()))
        user = await self.context.require_plugin_role("reviewer", "admin").dependency(request)
        self.assertEqual((user["sub"], user["plugin_role"], user["permissions"]), ("7", "reviewer", ["experiments.view"]))
        with self.assertRaises(HTTPException) as refused:
            await self.context.require_plugin_role("admin", "owner").dependency(request)
        self.assertEqual(refused.exception.detail, "Requires plugin role: admin, owner")
        admin = Request("GET", "/", headers=Headers((USER | {"x-mint-user-role": "Admin", "x-mint-user-id": "root"}).items()))
        self.assertEqual((await self.context.require_plugin_role("owner").dependency(admin))["plugin_role"], "admin")
        self.assertIsNone(await self.context.get_optional_user_dependency()(Request("GET", "/")))

    async def test_settings(self) -> None:
        self.platform.settings = {"greeting": "Hi", "limit": 5, "other": 1}
        self.assertEqual(await self.context.get_plugin_config(), self.platform.settings)
        adapter = self.context.get_plugin_settings_cas_adapter(owned_keys=["greeting"])
        self.assertEqual(adapter.load(), {"greeting": "Hi"})
        self.assertFalse(adapter.compare_and_swap({"greeting": "old"}, {"greeting": "x"}))
        await self.context.set_plugin_config({"limit": 6}, owned_keys=["limit"])
        self.plugin.save_settings(Settings("Moin", 7))
        self.assertEqual(self.platform.settings, {"greeting": "Moin", "limit": 7, "other": 1})
        self.assertEqual(self.plugin.settings, Settings("Moin", 7))
        with self.assertRaises(ValidationException):
            self.plugin.save_settings({"limit": "x"})
        self.assertEqual(self.plugin.settings.limit, 7)


class Alone(unittest.IsolatedAsyncioTestCase):
    async def test_without_a_platform(self) -> None:
        plugin = Plugin()
        await plugin.initialize(None)
        self.assertTrue(plugin.is_standalone)
        self.assertEqual(await plugin.save(1, design={}, analysis={}), (None, None))
        self.assertEqual(
            (await plugin.load(1), await plugin.load_analyses(1), await plugin.load_analysis_artifacts(1)), ((None, None), [], [])
        )
        self.assertEqual(await plugin.delete_analysis(1), False)
        self.assertEqual(plugin.settings, Settings())
        self.assertEqual((await plugin.check_health()).to_dict()["status"], "healthy")
        self.assertFalse(plugin.handles("on_before_experiment_save"))
        self.assertEqual((plugin.get_routers(), plugin.plugin_id), ([], "demo"))
        for attempt in (lambda: plugin.get_data_store(1), lambda: plugin.save_settings({})):
            with self.assertRaises(ConfigurationException):
                attempt()


class Problems(unittest.TestCase):
    def test_kinds(self) -> None:
        for kind, status in (
            ("invalid", 400),
            ("denied", 403),
            ("not_found", 404),
            ("conflict", 409),
            ("quota_exceeded", 429),
            ("unavailable", 503),
            ("internal", 500),
        ):
            error = from_problem(kind, "X", "Words.", {"a": 1})
            self.assertEqual((error.status, error.message, str(error), error.details["a"]), (status, "Words.", "Words.", 1))

    def test_answers_of_the_platform(self) -> None:
        legacy = b'{"detail": {"error": "CONFLICT", "message": "Taken.", "details": {"conflict_field": "name"}}}'
        error = to_exception(409, legacy)
        self.assertIsInstance(error, ConflictException)
        self.assertEqual((error.message, error.details), ("Taken.", {"conflict_field": "name"}))
        self.assertEqual(to_exception(500, b"<html>").message, "The platform answered with status 500.")
        self.assertEqual(to_exception(400, b'{"detail": "No."}').message, "No.")
        listed = b'{"code": "VALIDATION_ERROR", "message": "Bad.", "status": 400, "details": [{"path": "a"}]}'
        self.assertEqual(to_exception(400, listed).details, {"errors": [{"path": "a"}]})

    def test_actor(self) -> None:
        actor = PluginActor("7", "ada", "ADMIN", "Admin")
        self.assertTrue(actor.is_platform_admin and actor.is_plugin_admin)

    def test_router_prefix(self) -> None:
        for prefix in ("x", "/x/"):
            with self.assertRaises(ValueError):
                APIRouter(prefix)
