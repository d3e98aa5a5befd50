"""Run from the plugin's folder: `python3 -m unittest`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HERE / "src"), str(HERE.parent.parent / "sdk" / "python" / "src")]
