"""A target folder that the real dbt wrote, and one whose project file answers with EIO."""

from __future__ import annotations

import shutil
from pathlib import Path

from collectors.check_results import CheckResults

DBT = Path(__file__).parents[1] / "payloads" / "dbt"
SYSTEMS = {"*applications": "credit-scoring", "scores": "credit-scoring"}


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "project" / "target"
        lay(self.target / "before", "bad")
        lay(self.target, "good")

    def collector(self) -> CheckResults:
        return CheckResults("checks", self.target.parent, SYSTEMS)

    def grow(self) -> None:
        lay(self.target / "after", "freshness")

    def down(self) -> CheckResults:
        broken = self.folder / "broken"
        broken.mkdir(exist_ok=True)
        config = broken / "dbt_project.yml"
        if not config.is_symlink():
            config.symlink_to("/proc/self/mem")  # the kernel answers a read of address 0 with EIO
        return CheckResults("checks", broken, SYSTEMS)

    def refused(self) -> CheckResults:
        return CheckResults("checks", self.folder / "nowhere", SYSTEMS)

    def close(self) -> None:
        pass


def lay(target: Path, *names: str) -> Path:
    """The files of these runs, each over the one before, as dbt overwrites them."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        for file in (DBT / name).glob("*.json"):
            shutil.copyfile(file, target / file.name)
    return target
