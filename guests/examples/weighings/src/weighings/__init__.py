"""Weighings of samples, in tables with a history."""

from dataclasses import dataclass

from mint_sdk import AnalysisPlugin, APIRouter, PluginMetadata


@dataclass
class Weighing:
    """As it is given."""

    sample: str
    mass_mg: float


class Weighings(AnalysisPlugin):
    """Two routes: what was weighed, and one weighing more."""

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata("weighings", "1.0.0", "Keeps weighings in tables of its own.", "demo", "/weighings")

    def get_migrations_package(self) -> str:
        return "weighings.migrations"

    def get_routers(self):
        router = APIRouter()
        database = self.context.get_database()

        @router.get("/weighings")
        async def weighings() -> list[dict]:
            return await database.query("select sample, mass_mg, unit from weighings order by id")

        @router.post("/weighings", status_code=201)
        async def weigh(weighing: Weighing) -> dict:
            async with database.transaction() as transaction:
                sql = "insert into weighings (sample, mass_mg) values ($1, $2)"
                await transaction.execute(sql, weighing.sample, weighing.mass_mg)
                found = await transaction.query("select count(*) as weighings from weighings")
            return found[0]

        return [(router, "")]
