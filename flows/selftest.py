"""Attack a copy of the lake in every known way, and say which attacks verification names."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column

from evidence.errors import ConfigError, LakeError
from evidence.model import Outcome
from flows.config import Config, load, now
from flows.follow import leave_record
from flows.terminal import Screen, Table, printable
from storage.forging import Field
from storage.lake import Lake
from storage.trial import Ending, Trial, trials
from storage.trial_lakes import copied, made_up, sampled
from storage.views import connect

SHOWN = 200
STYLES = {Ending.MISSED: "bold red", Ending.NOT_APPLICABLE: "dim", Ending.DETECTED: ""}


def run(file: Path, *, demo: bool, keep: Path | None, items: int) -> int:
    """Show the table; 1 if any attack was missed, else 0. The lake itself is only read.

    How it ended lands in the lake as an act. Raises LakeError if the copy does not verify before
    it is attacked.
    """
    console = Screen(highlight=False)
    config = None if demo else load(file)
    lake = Lake.open(config.lake, clock=now) if config else None
    with ExitStack() as stack:
        folder = _folder(keep, stack)
        with console.status("copying …"):
            base, what = _base(lake, folder / "copy", items)
        console.print(f"Attacking copies of {escape(what)}, signed with a key for the trial")
        done = []
        with console.status("attacking …") as status:
            for trial in trials(base, keep=keep is not None):
                done.append(trial)
                status.update(f"attacking: {len(done)} done …")
    _show(console, done)
    if keep is not None:
        console.print(f"The attacked copies lie in {escape(str(keep))}")
    if config and lake:
        _record(console, lake, config, done)
    return _end(console, done)


def _folder(keep: Path | None, stack: ExitStack) -> Path:
    if keep is None:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headwater-selftest-")))
    if keep.exists() and any(keep.iterdir()):
        raise ConfigError(f"--keep {keep}: choose a new or empty folder")
    return keep.absolute()


def _base(lake: Lake | None, folder: Path, items: int) -> tuple[Field, str]:
    if lake is None:
        return made_up(folder, now), "a lake made up for this"
    with connect(lake) as connection:
        held = int(connection.execute("SELECT count(*) FROM evidence").fetchall()[0][0])
    if held == 0:
        raise LakeError("the lake holds nothing to attack yet; collect first, or use --demo")
    if held <= items:
        return copied(lake, folder, now), f"the whole lake ({held} items)"
    return sampled(lake, folder, now, items), f"the newest {items} of {held} items"


def _show(console: Screen, done: Sequence[Trial]) -> None:
    table = Table(Column("attack", max_width=40), "what verify said", "detected")
    for trial in done:
        said = printable(trial.said)
        said = said if len(said) <= SHOWN or trial.ending is Ending.MISSED else said[:SHOWN] + "…"
        word = {Ending.DETECTED: "yes", Ending.MISSED: "NO"}.get(trial.ending, trial.ending.value)
        table.add_row(trial.attack, escape(said), word, style=STYLES[trial.ending])
    console.print(table)


def _record(console: Screen, lake: Lake, config: Config, done: Sequence[Trial]) -> None:
    counts = Counter(trial.ending for trial in done)
    missed = [trial.attack for trial in done if trial.ending is Ending.MISSED]
    facts: dict[str, Any] = {"missed attacks": missed} | {e.value: counts[e] for e in Ending}
    outcome = Outcome.FAILED if missed else Outcome.PASSED
    if unkept := leave_record(lake, config, "selftest", outcome=outcome, facts=facts):
        console.print(f"note    {escape(unkept)}")


def _end(console: Screen, done: Sequence[Trial]) -> int:
    counts = Counter(trial.ending for trial in done)
    told = ", ".join(f"{counts[ending]} {ending.value}" for ending in Ending)
    console.print(f"{len(done)} attacks: {told}")
    return 1 if counts[Ending.MISSED] or not counts[Ending.DETECTED] else 0
