"""The fitted curve as SVG: points, curve, EC50 with its interval, over a logarithmic dose axis with a place for dose 0."""

import math
from collections.abc import Iterable
from html import escape

import numpy as np

from .model import response

WIDTH, HEIGHT = 720, 460
LEFT, RIGHT, TOP, BOTTOM = 76, 24, 44, 64
ZERO_GAP = 56
CURVE_POINTS = 240
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#222}.title{font-size:15px;font-weight:600}.axis{stroke:#444;fill:none}"
    ".grid{stroke:#e6e6e6}.curve{stroke:#0b5cad;stroke-width:2.2;fill:none}.point{fill:#0b5cad;fill-opacity:.35;stroke:#0b5cad}"
    ".band{fill:#d9480f;fill-opacity:.13}.ec50{stroke:#d9480f;stroke-width:1.5;stroke-dasharray:5 4}.note{fill:#b03a0c}"
)


class Scale:
    """From doses and responses to places on the page."""

    def __init__(self, doses: np.ndarray, values: np.ndarray) -> None:
        positive = doses[doses > 0]
        self.low, self.high = float(positive.min()) / 1.35, float(positive.max()) * 1.35
        self.has_zero = bool((doses == 0).any())
        self.left = LEFT + (ZERO_GAP if self.has_zero else 0)
        bottom, top = min(0.0, float(values.min())), float(values.max())
        self.bottom, self.top = bottom, top + 0.06 * (top - bottom)

    def x(self, dose: float) -> float:
        """Place of a dose; dose 0 stands left of the break."""
        if dose <= 0:
            return LEFT + ZERO_GAP / 2 - 6
        share = math.log(dose / self.low) / math.log(self.high / self.low)
        return self.left + min(max(share, 0.0), 1.0) * (WIDTH - RIGHT - self.left)

    def y(self, value: float) -> float:
        """Place of a response."""
        return HEIGHT - BOTTOM - (value - self.bottom) / (self.top - self.bottom) * (HEIGHT - BOTTOM - TOP)


def draw(result: dict) -> str:
    """The SVG document for a saved result."""
    points = np.array(result["points"], dtype=float)
    parameters = [result["parameters"][name]["estimate"] for name in "bcde"]
    scale = Scale(points[:, 0], np.concatenate([points[:, 1], response(points[:, 0], *parameters)]))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">',
        f"<title>Dose response: {escape(result['response'])} over {escape(result['dose'])}</title>",
        f'<style>{STYLE}</style><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_axes(scale, result["dose"], result["response"]),
        *_ec50(scale, result["ec50"], parameters),
        *_curve(scale, parameters),
        *(f'<circle class="point" cx="{scale.x(x):.1f}" cy="{scale.y(y):.1f}" r="4"/>' for x, y in points),
        "</svg>",
    ]
    return "\n".join(parts)


def _axes(scale: Scale, dose: str, answer: str) -> Iterable[str]:
    floor, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in _linear_ticks(scale.bottom, scale.top):
        y = scale.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    for value in _log_ticks(scale.low, scale.high):
        x = scale.x(value)
        yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{floor}" y2="{floor + 5}"/>'
        yield f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle">{value:g}</text>'
    if scale.has_zero:
        x, gap = scale.x(0), scale.left - 8
        yield f'<text x="{x:.1f}" y="{floor + 20}" text-anchor="middle">0</text>'
        yield f'<path class="axis" d="M{LEFT} {floor}H{gap - 4}m-3 5l6 -10m2 10l6 -10M{gap + 3} {floor}H{right}M{LEFT} {floor}V{TOP}"/>'
    else:
        yield f'<path class="axis" d="M{right} {floor}H{LEFT}V{TOP}"/>'
    middle = (scale.left + right) / 2
    yield f'<text x="{middle:.0f}" y="{HEIGHT - 16}" text-anchor="middle">{escape(dose)} (logarithmic)</text>'
    up = (TOP + floor) / 2
    yield f'<text transform="translate(20 {up:.0f}) rotate(-90)" text-anchor="middle">{escape(answer)}</text>'


def _ec50(scale: Scale, ec50: dict, parameters: list[float]) -> Iterable[str]:
    floor = HEIGHT - BOTTOM
    start, end = (scale.x(max(ec50[side], scale.low)) for side in ("lower", "upper"))
    middle = scale.x(ec50["estimate"])
    half = scale.y((parameters[1] + parameters[2]) / 2)
    yield f'<rect class="band" x="{start:.1f}" width="{max(end - start, 1):.1f}" y="{TOP}" height="{floor - TOP}"/>'
    yield f'<path class="ec50" d="M{middle:.1f} {floor}V{half:.1f}H{LEFT}" fill="none"/>'
    level = f"{ec50['confidence'] * 100:g} %"
    text = f"EC50 {ec50['estimate']:.4g}, {level} interval {ec50['lower']:.4g} to {ec50['upper']:.4g}"
    yield f'<text class="title note" x="{LEFT}" y="{TOP - 18}">{escape(text)}</text>'


def _curve(scale: Scale, parameters: list[float]) -> Iterable[str]:
    doses = np.geomspace(scale.low, scale.high, CURVE_POINTS)
    values = response(doses, *parameters)
    path = " ".join(f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in zip(doses, values, strict=True))
    yield f'<polyline class="curve" points="{path}"/>'
    if scale.has_zero:
        y, x = scale.y(float(response(np.zeros(1), *parameters)[0])), scale.x(0)
        yield f'<path class="curve" d="M{x - 12:.1f} {y:.1f}h24"/>'


def _linear_ticks(low: float, high: float) -> list[float]:
    raw = (high - low) / 6
    base = 10.0 ** math.floor(math.log10(raw))
    step = next(base * factor for factor in (1, 2, 2.5, 5, 10) if base * factor >= raw)
    return [index * step for index in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) < 3 else (1,)
    stride = max(1, len(decades) // 8)
    return [factor * 10.0**power for power in decades[::stride] for factor in factors if low <= factor * 10.0**power <= high]
