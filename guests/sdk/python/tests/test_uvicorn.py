"""The command that the platform starts: uvicorn on a Unix socket, with the plugin found by its entry point."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from importlib.util import find_spec
from pathlib import Path

from . import NOTEBOOK, SDK
from .fake_platform import TOKEN, FakePlatform
from .support import USER


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self._path)


@unittest.skipUnless(find_spec("uvicorn"), "uvicorn is not installed (extra 'server')")
class Uvicorn(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        installed = self.folder / "site" / "notebook-1.0.0.dist-info"
        installed.mkdir(parents=True)
        (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: notebook\nVersion: 1.0.0\n")
        (installed / "entry_points.txt").write_text("[mint.plugins]\nnotebook = notebook:NotebookPlugin\n")
        self.socket = str(self.folder / "s")

    def start(self, environment: dict[str, str]) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(self.folder / "site"), str(SDK / "src"), str(NOTEBOOK)])
        command = [sys.executable, "-m", "uvicorn", "mint_sdk.runtime:create_plugin_app", "--factory", "--uds", self.socket]
        selected = {"MINT_PLUGIN_ENTRY_POINT": "notebook", "MINT_PLUGIN_DISTRIBUTION": "Notebook"}
        return subprocess.Popen(
            command, env={"PYTHONPATH": path} | selected | environment, cwd=self.folder, stderr=subprocess.PIPE, text=True
        )

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = UnixConnection(self.socket)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def await_ready(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                self.get("/api/notebook/_mint/runtime", {})
                return
            except OSError:
                self.assertLess(time.monotonic(), deadline, "the process did not become ready")
                time.sleep(0.05)

    def test_serves_and_stops(self) -> None:
        with FakePlatform("notebook") as platform, self.start(platform.environment()) as process:
            self.await_ready()
            headers = USER | {"X-MINT-Internal-Token": TOKEN, "X-Request-ID": "r-1"}
            status, body = self.get("/api/notebook/experiments/42", headers)
            self.assertEqual((status, json.loads(body)["name"]), (200, "Seed"))
            self.assertEqual(self.get("/api/notebook/experiments/42", USER)[0], 403)
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=10)
        entries = [json.loads(line) for line in log.splitlines()]
        self.assertIn("Notebook is ready, 100 notes at most", [entry["message"] for entry in entries])
        self.assertLessEqual({"ts", "level", "logger", "message"}, entries[0].keys())
        self.assertNotIn("GET", log)

    def test_a_failed_start_ends_the_process(self) -> None:
        with FakePlatform("notebook") as platform:
            with self.start(platform.environment() | {"MINT_PLUGIN_TOKEN": "wrong"}) as process:
                _, log = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 3)
        self.assertIn("bad token", log)
