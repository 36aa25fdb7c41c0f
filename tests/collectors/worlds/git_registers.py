"""The demo company's real repository, and one whose git does not answer."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from collectors.git_registers import GitRegisters
from demo.registers import build, later


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = build(folder / "company", datetime.now(UTC))

    def collector(self) -> GitRegisters:
        return GitRegisters("registers", self.root)

    def grow(self) -> None:
        later(self.root, datetime.now(UTC))

    def down(self) -> GitRegisters:
        stuck = self.folder / "stuck"
        if not stuck.exists():
            shutil.copytree(self.root, stuck)
            (stuck / ".git" / "HEAD").unlink()
            os.mkfifo(stuck / ".git" / "HEAD")  # reading it waits for a writer who never comes
        return GitRegisters("registers", stuck, patience=0.3)

    def refused(self) -> GitRegisters:
        return GitRegisters("registers", self.folder / "nowhere")

    def close(self) -> None:
        pass
