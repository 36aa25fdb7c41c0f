"""Runs checkpoints of a Great Expectations project, in a process of its own.

Never imported: it takes seconds to load, and runs whatever the project brings along. What came of
it goes to a file, a line of JSON each; of an error only the classes, as its text may hold a cell.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import UTC, datetime
from typing import Any


def main(root: str, seconds: int, report: str, names: list[str]) -> None:
    """Runs what the checkpoints of these names validate, without their actions."""
    # The last guard, should nobody be left to end this process.
    signal.alarm(seconds + 1)
    with open(report, "a", encoding="utf-8") as lines:

        def tell(**fact: Any) -> None:
            lines.write(json.dumps(fact) + "\n")
            lines.flush()

        try:
            context = _context(root)
            known = {one.name: one for one in context.checkpoints.all()}
        except Exception as error:  # noqa: BLE001  the project's own code may raise anything
            tell(raised=_classes(error))
            return
        for name in names:
            if name not in known:
                tell(checkpoint=name, known=sorted(known))
                continue
            for definition in known[name].validation_definitions:
                tell(**_what(name, definition))
            tell(checkpoint=name, planned=len(known[name].validation_definitions))
        for name in names:
            for definition in known[name].validation_definitions if name in known else ():
                tell(**_what(name, definition), **_ran(known[name], definition))


def _context(root: str) -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations

    return great_expectations.get_context(mode="file", context_root_dir=root)


def _what(name: str, definition: Any) -> dict[str, Any]:
    return {
        "checkpoint": name, "definition": definition.name, "suite": definition.suite.name,
        "asset": definition.asset.name,
    }  # fmt: skip


def _ran(checkpoint: Any, definition: Any) -> dict[str, Any]:
    """Each run has a time of its own: two of one suite and batch would share a place."""
    from great_expectations import RunIdentifier

    at = datetime.now(UTC)
    try:
        # Not Checkpoint.run: that mails, publishes and calls whatever its actions say.
        definition.run(
            checkpoint_id=checkpoint.id,
            result_format=checkpoint.result_format,
            run_id=RunIdentifier(run_name="headwater", run_time=at),
        )
    except Exception as error:  # noqa: BLE001
        return {"at": at.isoformat(), "raised": _classes(error)}
    return {"at": at.isoformat(), "raised": ""}


def _classes(error: BaseException | None) -> str:
    found: list[str] = []
    while error is not None and len(found) < 5:
        found.append(type(error).__name__)
        error = error.__cause__ or error.__context__
    return ", ".join(dict.fromkeys(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
