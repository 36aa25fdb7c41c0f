"""The board as one HTML file that opens anywhere, put in place whole or not at all."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from dashboards.model import Board
from dashboards.render import render


def write(board: Board, path: Path) -> None:
    """Write the board to `path`, replacing what was there in one step.

    A reader sees the old page or the new one, never half of one. Raises OSError.
    """
    page = render(board).encode()
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
