"""Run from the SDK's folder with Python 3.12 or newer: `python3 -m unittest`."""

import sys
from pathlib import Path

SDK = Path(__file__).resolve().parent.parent
if sys.version_info < (3, 12):
    raise SystemExit("The SDK needs Python 3.12 or newer.")

NOTEBOOK = SDK.parent.parent / "examples" / "notebook" / "src"
sys.path[:0] = [str(SDK / "src"), str(NOTEBOOK)]
