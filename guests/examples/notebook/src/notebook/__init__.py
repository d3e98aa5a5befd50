"""Notes, results and files of experiments."""

from .plugin import NotebookPlugin

__all__ = ["NotebookPlugin"]
