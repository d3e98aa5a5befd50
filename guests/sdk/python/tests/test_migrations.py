"""Histories of tables: found, in order, with a checksum of what they do."""

import sys
import tempfile
import unittest
from pathlib import Path

from mint_sdk import migrations
from mint_sdk.migrations import Column, PluginMigration, discover

FIRST = '''
from mint_sdk.migrations import Column, PluginMigration


class Initial(PluginMigration):
    version = 1
    name = "samples"

    async def upgrade(self, op):
        await op.create_table("samples", Column.id("id"), Column("name", "text"))
'''

SECOND = '''
from mint_sdk.migrations import PluginMigration


class Operator(PluginMigration):
    """Says who."""

    version = 2
    name = "operator"
    destructive = True

    async def upgrade(self, op):  # first
        """Adds it."""
        await op.execute(
            "select 1",
        )
'''


class Histories(unittest.TestCase):
    def package(self, name: str, *modules: str) -> str:
        root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (root / name).mkdir()
        (root / name / "__init__.py").write_text("")
        for number, text in enumerate(reversed(modules)):
            (root / name / f"m{number}.py").write_text(text)
        sys.path.insert(0, str(root))
        self.addCleanup(sys.path.remove, str(root))
        return name

    def test_a_package_is_a_history(self) -> None:
        found = discover(self.package("history_one", FIRST, SECOND))
        self.assertEqual([one.migration.version for one in found], [1, 2])
        self.assertEqual([one.migration.destructive for one in found], [False, True])
        self.assertTrue(all(len(one.checksum) == 64 for one in found))
        self.assertEqual(discover(self.package("history_none")), [])

    def test_only_what_it_does_counts(self) -> None:
        changed = SECOND.replace('"""Adds it."""', "").replace("# first", "").replace('(\n            "select 1",\n        )', "('select 1')")
        other = SECOND.replace("select 1", "select 2")
        sums = [
            discover(self.package(f"history_{name}", text))[0].checksum
            for name, text in [("plain", SECOND), ("changed", changed), ("other", other)]
        ]
        self.assertEqual(sums[0], sums[1])
        self.assertNotEqual(sums[0], sums[2])

    def test_columns(self) -> None:
        self.assertEqual(Column.id("id"), Column("id", "bigint", nullable=False, primary_key=True, counted=True))
        self.assertFalse(PluginMigration.destructive)
        self.assertIsNot(migrations.NOW, None)
