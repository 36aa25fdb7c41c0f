"""A project that the real Great Expectations wrote, and one whose disk answers with EIO."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from collectors.quality_checks import QualityChecks
from demo.quality import build, later

SYSTEMS = {"credit-*": "credit-scoring", "churn-*": "churn-predictor", "ticket-*": "ticket-triage"}


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = build(folder / "project", datetime.now(UTC))

    def collector(self) -> QualityChecks:
        return QualityChecks("quality", self.root, SYSTEMS)

    def grow(self) -> None:
        later(self.folder / "project", datetime.now(UTC))

    def down(self) -> QualityChecks:
        broken = self.folder / "broken"
        broken.mkdir(exist_ok=True)
        config = broken / "great_expectations.yml"
        if not config.is_symlink():
            config.symlink_to("/proc/self/mem")  # the kernel answers a read of address 0 with EIO
        return QualityChecks("quality", broken, SYSTEMS)

    def refused(self) -> QualityChecks:
        return QualityChecks("quality", self.folder / "nowhere", SYSTEMS)

    def close(self) -> None:
        pass
