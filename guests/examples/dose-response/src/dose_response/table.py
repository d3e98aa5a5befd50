"""Reads a table of doses and responses and says exactly which line or column is wrong."""

import csv
import io
import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from mint_sdk import FieldError, RequestValidationError

ROWS_MAX = 10_000
PROBLEMS_MAX = 20
DELIMITERS = ",;\t"


class TableError(RequestValidationError):
    """422 with every mistake found: (where, why)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        where, why = problems[0]
        more = f" There are {len(problems) - 1} more mistakes." if len(problems) > 1 else ""
        shown = [FieldError("table", (place,), reason) for place, reason in problems[:PROBLEMS_MAX]]
        super().__init__(shown, f"The table cannot be analysed: {where}: {why}.{more}")


@dataclass(frozen=True)
class Table:
    """Doses (not negative) and responses, one of each for every row, and the names of their columns."""

    dose_name: str
    response_name: str
    doses: np.ndarray
    responses: np.ndarray


def read_table(data: bytes, dose: str, response: str) -> Table:
    """Reads CSV (comma, semicolon or tab; the first line names the columns). `TableError` if it cannot be analysed."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableError([(f"line {line}", "is not UTF-8 text; save the file as CSV in UTF-8")]) from error
    if "\0" in text:
        raise TableError([(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}", "has a zero byte; this is no text file")])
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        columns = _columns(header, dose, response)
        rows = _rows(reader, header, columns)
    except csv.Error as error:
        raise TableError([(f"line {reader.line_num}", f"is not valid CSV ({error})")]) from error
    table = Table(dose, response, np.array([row[0] for row in rows]), np.array([row[1] for row in rows]))
    _check_design(table)
    return table


def _columns(header: list[str], dose: str, response: str) -> tuple[int, int]:
    if not any(header):
        raise TableError([("line 1", "is empty; the first line names the columns")])
    if dose == response:
        raise TableError([(f"column '{dose}'", "cannot be both the dose and the response")])
    listing = ", ".join(f"'{name}'" for name in header)
    counts = Counter(header)
    problems = [
        (f"column '{name}'", f"is missing; there are {listing}" if counts[name] == 0 else "appears more than once")
        for name in (dose, response)
        if counts[name] != 1
    ]
    if problems:
        raise TableError(problems)
    return header.index(dose), header.index(response)


def _rows(reader, header: list[str], columns: tuple[int, int]) -> list[tuple[float, float]]:
    rows: list[tuple[float, float]] = []
    problems: list[tuple[str, str]] = []
    for cells in reader:
        line = f"line {reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) >= ROWS_MAX:
            raise TableError([(line, f"is more than the {ROWS_MAX:,} rows that are analysed at once")])
        if len(cells) != len(header):
            problems.append((line, f"has {len(cells)} cells, the first line {len(header)}"))
            continue
        try:
            rows.append(_row(cells, header, columns, line))
        except TableError as error:
            problems.extend((item.loc[0], item.message) for item in error.errors)
    if problems:
        raise TableError(problems)
    return rows


def _row(cells: list[str], header: list[str], columns: tuple[int, int], line: str) -> tuple[float, float]:
    values, problems = [], []
    for index in columns:
        where, cell = f"{line}, column '{header[index]}'", cells[index].strip()
        try:
            value = float(cell)
        except ValueError:
            hint = "; use a decimal point" if "," in cell else ""
            problems.append((where, f"'{cell[:40]}' is not a number{hint}" if cell else "is empty"))
            continue
        if not math.isfinite(value):
            problems.append((where, f"'{cell}' is not a finite number"))
        elif index == columns[0] and value < 0:
            problems.append((where, f"the dose {cell} is negative"))
        values.append(value)
    if problems:
        raise TableError(problems)
    return values[0], values[1]


def _check_design(table: Table) -> None:
    levels = np.unique(table.doses)
    column = f"column '{table.dose_name}'"
    if table.doses.size == 0:
        raise TableError([("line 2", "is missing; the table has no rows")])
    if levels.size == 1:
        raise TableError([(column, f"has only one dose, {levels[0]:g}; a curve needs at least four")])
    if levels.size < 4:
        listing = ", ".join(f"{level:g}" for level in levels)
        raise TableError([(column, f"has only {levels.size} doses ({listing}); a curve needs at least four")])
    if table.doses.size < 5:
        raise TableError([("rows", f"there are {table.doses.size}; four parameters need at least five")])
    if np.ptp(table.responses) == 0:
        raise TableError(
            [(f"column '{table.response_name}'", f"is {table.responses[0]:g} everywhere; nothing depends on the dose")]
        )
