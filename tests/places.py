"""Where the tests find the repository and their tiny lesson."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TINY = ROOT / "tests" / "tiny_lesson"
