"""Reports of microplates, made by jobs."""

from .plugin import PlateReportPlugin

__all__ = ["PlateReportPlugin"]
