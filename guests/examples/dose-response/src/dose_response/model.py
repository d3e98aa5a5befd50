"""The four-parameter log-logistic model (LL.4 of the R package drc): y = c + (d - c) / (1 + exp(b (log x - log e)))."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import expit
from scipy.stats import t as student

NAMES = ("b", "c", "d", "e")
EVALUATIONS_MAX = 2_000


class FitError(Exception):
    """No curve could be found; the text says why."""


@dataclass(frozen=True)
class Fit:
    """Estimates in the order b (slope), c (lower limit), d (upper limit), e (EC50), and their covariance matrix."""

    estimates: np.ndarray
    covariance: np.ndarray
    residual_se: float
    degrees_of_freedom: int
    n: int

    @property
    def standard_errors(self) -> np.ndarray:
        """In the order of the estimates."""
        return np.sqrt(np.diag(self.covariance))

    def ec50_interval(self, confidence: float) -> tuple[float, float]:
        """Delta method: e ± t × its standard error."""
        half = student.ppf(0.5 + confidence / 2, self.degrees_of_freedom) * self.standard_errors[3]
        return float(self.estimates[3] - half), float(self.estimates[3] + half)


def response(doses: np.ndarray, b: float, c: float, d: float, e: float) -> np.ndarray:
    """The curve. At dose 0 its limit: d if it falls with the dose (b > 0), c if it rises."""
    return c + (d - c) * _share(doses, b, np.log(e))


def fit(doses: np.ndarray, responses: np.ndarray) -> Fit:
    """Least squares, every point with the same weight. `FitError` if there is no finite, determined optimum."""
    with np.errstate(all="ignore"):
        scale = float(np.ptp(responses))
        solutions = [_solve(doses, responses, start, scale) for start in _starts(doses, responses)]
        found = [solution for solution in solutions if solution is not None]
        if not found:
            raise FitError("the fit does not converge; the responses may not follow a sigmoid curve")
        b, c, d, log_e = min(found, key=lambda solution: solution.cost).x
        if c > d:
            b, c, d = -b, d, c
        estimates = np.array([b, c, d, np.exp(log_e)])
        return _with_errors(doses, responses, estimates)


def _share(doses: np.ndarray, b: float, log_e: float) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = b * (np.log(doses) - log_e)
    return expit(-np.where(np.isnan(exponent), 0.0, exponent))


def _starts(doses: np.ndarray, responses: np.ndarray) -> list[np.ndarray]:
    """From the straight line through the logits, as drc does, and two plain guesses should it lead astray."""
    low, high = responses.min(), responses.max()
    margin = 0.001 * (high - low)
    c, d = low - margin, high + margin
    positive = doses > 0
    log_doses = np.log(doses[positive])
    logits = np.log((d - responses[positive]) / (responses[positive] - c))
    slope, intercept = np.polyfit(log_doses, logits, 1)
    middle = float(np.median(log_doses))
    starts = [np.array([sign, c, d, middle]) for sign in (1.0, -1.0)]
    if np.isfinite(slope) and abs(slope) > 1e-6:
        starts.insert(0, np.array([slope, c, d, np.clip(-intercept / slope, log_doses.min(), log_doses.max())]))
    return starts


def _solve(doses: np.ndarray, responses: np.ndarray, start: np.ndarray, scale: float):
    def residuals(p: np.ndarray) -> np.ndarray:
        return p[1] + (p[2] - p[1]) * _share(doses, p[0], p[3]) - responses

    def jacobian(p: np.ndarray) -> np.ndarray:
        return _gradient(doses, *p)

    try:
        solution = least_squares(
            residuals,
            start,
            jacobian,
            x_scale=(1.0, scale, scale, 1.0),
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
            max_nfev=EVALUATIONS_MAX,
        )
    except (ValueError, np.linalg.LinAlgError):
        return None
    return solution if solution.success and np.all(np.isfinite(solution.x)) else None


def _gradient(doses: np.ndarray, b: float, c: float, d: float, log_e: float) -> np.ndarray:
    """Derivatives of the curve by b, c, d and log e."""
    share = _share(doses, b, log_e)
    bend = (d - c) * share * (1 - share)
    distance = np.where(doses > 0, np.log(np.where(doses > 0, doses, 1.0)) - log_e, 0.0)
    return np.column_stack([-bend * distance, 1 - share, share, bend * b])


def _with_errors(doses: np.ndarray, responses: np.ndarray, estimates: np.ndarray) -> Fit:
    b, c, d, e = estimates
    residuals = response(doses, b, c, d, e) - responses
    degrees = doses.size - 4
    variance = float(residuals @ residuals) / degrees
    hessian = _hessian(doses, residuals, estimates)
    scales = np.sqrt(np.abs(np.diag(hessian)))
    if not np.all(np.isfinite(estimates)) or e <= 0 or not np.all(scales > 0):
        raise FitError("the fit runs away; the doses do not enclose the part of the curve that bends")
    scaled = hessian / np.outer(scales, scales)
    if np.linalg.eigvalsh(scaled)[0] < 1e-9:
        raise FitError("the fit is not determined; the doses do not enclose the part of the curve that bends")
    covariance = variance * np.linalg.inv(scaled) / np.outer(scales, scales)
    return Fit(estimates, covariance, float(np.sqrt(variance)), degrees, doses.size)


def _hessian(doses: np.ndarray, residuals: np.ndarray, estimates: np.ndarray) -> np.ndarray:
    """Half the second derivatives of the residual sum of squares by b, c, d and e (drc's observed information)."""
    b, c, d, e = estimates
    log_e = np.log(e)
    share = _share(doses, b, log_e)
    distance = np.where(doses > 0, np.log(np.where(doses > 0, doses, 1.0)) - log_e, 0.0)
    first = share * (1 - share)
    second = first * (1 - 2 * share)
    gradient = _gradient(doses, b, c, d, log_e) / np.array([1.0, 1.0, 1.0, e])
    height = d - c
    curvature = np.zeros((4, 4, doses.size))
    curvature[0, 0] = height * second * distance**2
    curvature[0, 1] = first * distance
    curvature[0, 2] = -first * distance
    curvature[0, 3] = height * (first - second * b * distance) / e
    curvature[1, 3] = -first * b / e
    curvature[2, 3] = first * b / e
    curvature[3, 3] = height * (second * b**2 - first * b) / e**2
    curvature += np.triu(np.ones((4, 4)), 1).T[:, :, None] * curvature.transpose(1, 0, 2)
    return gradient.T @ gradient + curvature @ residuals
