"""What Headwater's flow costs over a bare Prefect flow of as many tasks that do no work.

Usage: python -m benchmarks.prefect_overhead [SOURCES] [RUNS] (default 10 and 9), against the server
that PREFECT_API_URL names, else one of its own. The two take turns. Both map one task to each
source with the same retries and end with one table; Headwater's pulls a source that has nothing
new, lands the record of the pull, and tags and seals. `--direct` is the same without Prefect.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import middle, print_table, took
from evidence.model import Batch, Cursor
from evidence.runs import PullFacts
from flows.config import load
from flows.run import collect_direct
from flows.serve import _server
from flows.setup import initialise


@dataclass(frozen=True, slots=True)
class Nothing:
    """A source that answers at once that there is nothing."""

    source: str
    clock: object = None

    def probe(self) -> str:
        """Says that it is there."""
        return "nothing"

    def collect(self, cursor: Cursor | None) -> Iterator[Batch]:  # noqa: ARG002
        """One empty answer."""
        yield Batch((), Cursor("0"), PullFacts(1, 0, 0))


def house(folder: Path, sources: int) -> Path:
    """A house with so many sources, each with a turn of its own."""
    list(initialise(folder, "Bench"))
    file = folder / "headwater.toml"
    uses = f"{__spec__.name if __spec__ else 'benchmarks.prefect_overhead'}:Nothing"
    tables = "".join(
        f'\n[[source]]\nname = "s{number}"\nuses = "{uses}"\n' for number in range(sources)
    )
    hosts = f'\n[collect]\nat_once = {sources}\nhosts = {{ "{uses}" = {sources} }}\n'
    file.write_text(file.read_text() + tables + hosts)
    return file


def main(sources: int, runs: int) -> None:
    """Measure in turns and print."""
    with tempfile.TemporaryDirectory() as name, _server():
        from prefect import flow, task
        from prefect.artifacts import create_table_artifact
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()
        from flows.collect import collect

        @task(retries=2, persist_result=False)
        def idle(number: int) -> int:
            return number

        @flow
        def bare() -> int:
            done = idle.map(range(sources)).result()
            create_table_artifact([{"n": n} for n in done], key="bare")
            return len(done)

        file = house(Path(name) / "home", sources)
        config = load(file)
        bare()
        collect(str(file))
        bares, ours, direct = [], [], []
        for _ in range(runs):
            bares.append(took(bare))
            ours.append(took(lambda: collect(str(file))))
            direct.append(took(lambda: collect_direct(config)))
    rows = [
        ["a bare flow of as many idle tasks", middle(bares).ms, ""],
        ["Headwater's collect", middle(ours).ms, middle(ours).over(middle(bares))],
        ["Headwater's collect --direct", middle(direct).ms, middle(direct).over(middle(bares))],
    ]
    print_table([f"{sources} sources", "median", "of bare"], rows)


if __name__ == "__main__":
    main(*map(int, [*sys.argv[1:], *("10", "9")[len(sys.argv) - 1 :]]))
