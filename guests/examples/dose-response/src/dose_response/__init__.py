"""Dose-response curves by the four-parameter log-logistic model."""

from .plugin import DoseResponsePlugin

__all__ = ["DoseResponsePlugin"]
