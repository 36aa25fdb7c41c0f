"""The company of the demo, made as a newcomer makes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def headwater(*words: str) -> subprocess.CompletedProcess[str]:
    """`headwater WORDS` in a process that has imported nothing, without a way to the outside."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "AWS_"))}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words], cwd=ROOT, text=True, capture_output=True,
        check=False, timeout=300, env=kept | {"CI": "true"},
    )  # fmt: skip


def build(folder: Path) -> None:
    """Make the company in a new folder."""
    done = headwater("demo", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "Second collection" in done.stdout
