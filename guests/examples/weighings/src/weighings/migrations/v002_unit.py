"""In which unit the balance showed it."""

from mint_sdk.migrations import Column, MigrationOps, PluginMigration


class Unit(PluginMigration):
    version = 2
    name = "unit"

    async def upgrade(self, op: MigrationOps) -> None:
        await op.add_column("weighings", Column("unit", "text", default="mg"))
        await op.backfill("weighings", "unit", "mg")

    async def downgrade(self, op: MigrationOps) -> None:
        await op.drop_column("weighings", "unit")
