"""Which code acts: whatever lands says by which version it was made."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path


@cache
def code_version() -> str:
    """Headwater's version and, in a checkout, the commit, marked when files differ from it."""
    root = Path(__file__).resolve().parent.parent
    base = version("headwater")
    try:
        shown = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--exclude", "*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return base
    return f"{base}+{shown.stdout.strip()}"
