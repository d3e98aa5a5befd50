"""What the controls of a plate say."""

import re
from statistics import mean, stdev

CONTROLS_MIN = 2
_WELL = re.compile(r"([A-P])([1-9]|1[0-9]|2[0-4])")


class Plate:
    """Values by well. The first column is without activity, the last with all of it; `ValueError` says what is missing."""

    def __init__(self, wells: dict[str, float]) -> None:
        self.rows: dict[str, dict[int, float]] = {}
        for name, value in wells.items():
            place = _WELL.fullmatch(name)
            if place is None:
                raise ValueError(f"{name} is no well: write A1 to P24")
            self.rows.setdefault(place[1], {})[int(place[2])] = value
        last = max((column for row in self.rows.values() for column in row), default=1)
        self.low, self.high = self._column(1), self._column(last)
        if last == 1 or min(len(self.low), len(self.high)) < CONTROLS_MIN:
            raise ValueError(f"the first and the last column need {CONTROLS_MIN} controls each")
        if mean(self.low) == mean(self.high):
            raise ValueError("the controls do not differ")

    def z_factor(self) -> float:
        """Z′: how far the controls are apart, measured by how they scatter; above 0.5 is a good assay."""
        return 1 - 3 * (stdev(self.low) + stdev(self.high)) / abs(mean(self.high) - mean(self.low))

    def activities(self, row: str) -> dict[str, float]:
        """In percent of the way from the low to the high controls, by well."""
        low, high = mean(self.low), mean(self.high)
        return {f"{row}{column}": round(100 * (value - low) / (high - low), 2) for column, value in self.rows[row].items()}

    def _column(self, column: int) -> list[float]:
        return [row[column] for row in self.rows.values() if column in row]
