"""What was weighed, and when."""

from mint_sdk.migrations import NOW, Column, MigrationOps, PluginMigration


class Initial(PluginMigration):
    version = 1
    name = "weighings"

    async def upgrade(self, op: MigrationOps) -> None:
        await op.create_table(
            "weighings",
            Column.id("id"),
            Column("sample", "text", nullable=False),
            Column("mass_mg", "real", nullable=False),
            Column("weighed_at", "timestamp", nullable=False, default=NOW),
        )
        await op.create_index("weighings_by_sample", "weighings", ["sample"])

    async def downgrade(self, op: MigrationOps) -> None:
        await op.drop_table("weighings")
