"""The published ryegrass example of drc, tables that cannot be analysed, and the picture."""

import unittest
from xml.etree import ElementTree

import numpy as np
from dose_response.model import FitError, fit, response
from dose_response.plot import draw
from dose_response.plugin import DOSE, RESPONSE, DoseResponsePlugin, summarise
from dose_response.table import TableError, read_table
from mint_sdk import Headers, PlatformContext, Request
from mint_sdk.models import PluginAnalysisResult
from mint_sdk.routing.app import RouterApp

RYEGRASS = """root_length_cm,ferulic_acid_mM
7.58,0
8,0
8.3285714,0
7.25,0
7.375,0
7.9625,0
8.3555556,0.94
6.9142857,0.94
7.75,0.94
6.8714286,1.88
6.45,1.88
5.9222222,1.88
1.925,3.75
2.8857143,3.75
4.2333333,3.75
1.1875,7.5
0.8571429,7.5
1.0571429,7.5
0.6875,15
0.525,15
0.825,15
0.25,30
0.22,30
0.44,30
"""
HEAD = "x,y\n"
ROWS = "0,9\n0,9.2\n1,8\n2,5\n4,2\n8,1\n"
BAD_TABLES = [
    ("", "line 1: is empty"),
    (HEAD, "line 2: is missing; the table has no rows"),
    ("a,b\n1,2\n", "column 'x': is missing; there are 'a', 'b'"),
    ("x,y,x\n", "column 'x': appears more than once"),
    (HEAD + ROWS + "16,abc\n", "line 8, column 'y': 'abc' is not a number"),
    (HEAD + "1;5,2\n", "line 2, column 'x': '1;5' is not a number"),
    ("x;y\n1,5;2\n", "line 2, column 'x': '1,5' is not a number; use a decimal point"),
    (HEAD + ROWS + "16,\n", "line 8, column 'y': is empty"),
    (HEAD + ROWS + "nan,1\n", "line 8, column 'x': 'nan' is not a finite number"),
    (HEAD + ROWS + "16,-inf\n", "line 8, column 'y': '-inf' is not a finite number"),
    (HEAD + ROWS + "-1,1\n", "line 8, column 'x': the dose -1 is negative"),
    (HEAD + ROWS + "16\n", "line 8: has 1 cells, the first line 2"),
    (HEAD + "1,2\n1,3\n1,4\n1,5\n1,6\n", "column 'x': has only one dose, 1"),
    (HEAD + "0,2\n1,3\n1,4\n2,5\n2,6\n", "column 'x': has only 3 doses (0, 1, 2)"),
    (HEAD + "0,2\n1,3\n2,4\n3,5\n", "rows: there are 4; four parameters need at least five"),
    (HEAD + "0,2\n1,2\n2,2\n3,2\n4,2\n", "column 'y': is 2 everywhere"),
    (HEAD + '1,"2\n', "is not valid CSV"),
    (HEAD + "1,2\0\n", "line 2: has a zero byte"),
    (HEAD + "1,2\n" * 10_001, "more than the 10,000 rows"),
]


def ryegrass():
    return read_table(RYEGRASS.encode(), DOSE, RESPONSE)


class Ryegrass(unittest.TestCase):
    def test_figures_of_drc(self) -> None:
        table = ryegrass()
        found = fit(table.doses, table.responses)
        np.testing.assert_allclose(found.estimates, [2.98222, 0.48141, 7.79296, 3.05795], atol=2e-5)
        np.testing.assert_allclose(found.standard_errors, [0.46506, 0.21219, 0.18857, 0.18573], atol=2e-5)
        self.assertAlmostEqual(found.residual_se, 0.5196256, places=5)
        self.assertEqual((found.degrees_of_freedom, found.n), (20, 24))
        np.testing.assert_allclose(found.ec50_interval(0.95), [2.67053, 3.44538], atol=2e-5)

    def test_picture(self) -> None:
        table = ryegrass()
        saved = summarise(table, fit(table.doses, table.responses), 0.95, {"table": "x"}) | {"dose": "<dose>&"}
        root = ElementTree.fromstring(draw(saved))
        self.assertEqual(len(root.findall("{*}circle")), 24)
        texts = [item.text for item in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("EC50 3.058, 95 % interval 2.671 to 3.445", texts)
        self.assertIn("<dose>& (logarithmic)", texts)


class Curves(unittest.TestCase):
    doses = np.repeat([0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0], 3)

    def test_rising_and_falling_curves_of_any_size(self) -> None:
        noise = np.random.default_rng(1).normal(0, 0.01, self.doses.size)
        for b, c, d in ((1.5, 1.0, 10.0), (-2.0, 0.0, 1e9), (2.0, -1e-9, 1e-9), (0.8, -5.0, 5.0)):
            with self.subTest(b=b):
                values = response(self.doses, b, c, d, 1.2) + noise * (d - c)
                found = fit(self.doses, values)
                self.assertLess(abs(found.estimates[3] - 1.2), 4 * found.standard_errors[3])
                self.assertLess(found.estimates[1], found.estimates[2])
                self.assertEqual(np.sign(found.estimates[0]), np.sign(b))

    def test_what_is_no_curve_is_refused(self) -> None:
        random = np.random.default_rng(2)
        cases = {
            "line": self.doses + random.normal(0, 0.01, 21),
            "noise": random.normal(0, 1, 21),
            "growth": np.exp(self.doses / 10),
            "too low doses": response(self.doses, 1.5, 0.0, 9.0, 5000.0) + random.normal(0, 0.2, 21),
        }
        for name, values in cases.items():
            with self.subTest(name), self.assertRaises(FitError):
                fit(self.doses, values)


class Tables(unittest.TestCase):
    def test_bad_tables_say_where_and_why(self) -> None:
        for text, words in BAD_TABLES:
            with self.subTest(words=words), self.assertRaises(TableError) as refused:
                read_table(text.encode(), "x", "y")
            self.assertIn(words, refused.exception.message)
        with self.assertRaisesRegex(TableError, "line 3: is not UTF-8"):
            read_table(b"x,y\n1,2\n\xff,3\n", "x", "y")
        with self.assertRaisesRegex(TableError, "both the dose and the response"):
            read_table(b"x,y\n", "x", "x")

    def test_all_mistakes_are_listed(self) -> None:
        with self.assertRaises(TableError) as refused:
            read_table((HEAD + "a,b\n1\n" + ROWS).encode(), "x", "y")
        self.assertEqual(
            [item.field for item in refused.exception.errors], ["line 2, column 'x'", "line 2, column 'y'", "line 3"]
        )
        self.assertIn("There are 2 more mistakes.", refused.exception.message)

    def test_forms_of_csv(self) -> None:
        for text in (
            "\ufeffx,y\r\n" + ROWS.replace("\n", "\r\n"),
            "x;y\n" + ROWS.replace(",", ";") + "\n\n",
            ' "x"\t y \n'.replace(' "', '"') + ROWS.replace(",", "\t"),
        ):
            self.assertEqual(read_table(text.encode(), "x", "y").doses.tolist(), [0, 0, 1, 2, 4, 8])


class Platform:
    """A backend that knows one object and keeps one result."""

    plugin_id = "dose-response"

    def __init__(self) -> None:
        self.saved = None

    async def call(self, function, *args, **kwargs):
        return function(*args, **kwargs)

    def read_object(self, experiment_id, key):
        data = {"ryegrass.csv": RYEGRASS.encode(), "big.csv": b"x" * (9 * 1024 * 1024)}[key]
        return (data[start : start + 65536] for start in range(0, len(data), 65536))

    def save_result(self, experiment_id, result):
        self.saved = PluginAnalysisResult(1, experiment_id, self.plugin_id, result, None, None)
        return self.saved

    def load_result(self, experiment_id, plugin_id, fields):
        return self.saved


class Routes(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        plugin = DoseResponsePlugin()
        self.platform = Platform()
        await plugin.initialize(PlatformContext(self.platform))
        self.app = RouterApp(list(plugin.get_routers()), threads=True)

    async def send(self, method: str, path: str, body: bytes = b"", kind: str = "application/json"):
        async def chunks():
            yield body

        target, _, query = path.partition("?")
        headers = Headers([("content-type", kind)])
        return await self.app.handle(Request(method, "/experiments/5" + target, query=query, headers=headers, chunks=chunks()))

    async def test_fits_an_object_and_shows_it(self) -> None:
        self.assertEqual((await self.send("GET", "/result")).status_code, 404)
        answer = await self.send("POST", "/fit", b'{"object": "ryegrass.csv"}')
        self.assertEqual((answer.status_code, self.platform.saved.result["n"]), (200, 24))
        self.assertEqual((await self.send("GET", "/result")).body, answer.body)
        picture = await self.send("GET", "/plot.svg")
        self.assertIn(("content-type", "image/svg+xml"), picture.headers)

    async def test_refusals_save_nothing(self) -> None:
        csv = "text/csv; charset=utf-8"
        cases = [
            ("/fit", b'{"object": "big.csv"}', "application/json", 413),
            ("/fit", b"{}", "application/json", 422),
            ("/fit/table", RYEGRASS.encode(), "text/plain", 415),
            ("/fit/table", RYEGRASS.encode().replace(b"8,0", b"eight,0"), csv, 422),
            ("/fit/table?dose=nothing", RYEGRASS.encode(), csv, 422),
            ("/fit/table", b"x" * (8 * 1024 * 1024 + 1), csv, 413),
        ]
        for path, body, kind, status in cases:
            with self.subTest(path=path, status=status):
                self.assertEqual((await self.send("POST", path, body, kind)).status_code, status)
                self.assertIsNone(self.platform.saved)
        self.assertEqual((await self.send("POST", "/fit/table", RYEGRASS.encode(), csv)).status_code, 200)
