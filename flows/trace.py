"""The life of an AI system as it landed, and each edge of it that is broken."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.tree import Tree

from dashboards.text import many
from evidence.broken import ASKED, BY_OUTCOME, Look, broken_edges
from evidence.canonical import plain
from evidence.errors import ConfigError
from evidence.people import accounts
from evidence.trace import Broken, Graph, Node, Stage
from flows.config import load, now
from flows.moment import Asked, answered
from flows.terminal import Screen, Table, for_machines, printable
from flows.trace_picture import PICTURES, picture
from mappings.trace import KindOf, Name, TraceMap, load_trace
from storage.engine import ample
from storage.lake import Lake
from storage.lifecycle import Cycle, Tie, called_rows, look, rows_of_all, rows_of_system, tied_rows
from storage.pages import Connection, records

SHOWN, MOST = 6, 500
"""Of each stage so many nodes stand in a tree, and so many broken edges in a table."""
FORMS = ("tree", "json", *PICTURES)


@dataclass(frozen=True, slots=True)
class Traced:
    """A life cycle as of a moment: the nodes asked for, and what is broken among them."""

    about: str
    nodes: Sequence[Node]
    broken: Sequence[Broken]


def graph_of(connection: Connection, trace: TraceMap) -> Graph:
    """All nodes of the lake as the connection shows it. Raises LakeError."""
    look(connection, cycle_of(trace))
    return graph_from(connection, places(trace, rows_of_all(connection)))


def tied_graph(connection: Connection, trace: TraceMap) -> Graph:
    """The nodes that a broken edge may be about, of `graph_of`: most of a large lake names nobody,
    is named by nobody and did not fail. Raises LakeError."""
    return graph_from(connection, tied_places(connection, trace))


def graph_about(connection: Connection, trace: TraceMap, about: str) -> Graph:
    """Those of `tied_graph`, and everything of the system that `about` is, or belongs to.

    Raises LakeError.
    """
    placed = tied_places(connection, trace, about)
    start = _start(graph_from(connection, placed), about)
    system = start.system if start else about
    return graph_from(connection, placed | places(trace, rows_of_system(connection, system)))


def tied_and_rest(connection: Connection, trace: TraceMap) -> tuple[Graph, Iterator[Node]]:
    """`tied_graph`, and one after the other, in no order, all other nodes of `graph_of`: those that
    no edge leads to or from. Ask nothing of the connection until the last of them.

    Raises LakeError.
    """
    placed = tied_places(connection, trace)
    rest = (row for row in rows_of_all(connection) if _place(row) not in placed)
    return graph_from(connection, placed), (node for row in rest for node in _nodes(trace, row))


_Place = tuple[datetime, str]
Placed = dict[_Place, list[Node]]
"""When an item was observed, and its id → the nodes that it is."""


def tied_places(connection: Connection, trace: TraceMap, *besides: str) -> Placed:
    look(connection, cycle_of(trace))
    placed = places(trace, tied_rows(connection))
    names = {one.key for nodes in placed.values() for node in nodes for one in node.names}
    return placed | places(trace, called_rows(connection, names | set(besides)))


def places(trace: TraceMap, rows: Iterable[Mapping[str, Any]]) -> Placed:
    return {_place(row): _nodes(trace, row) for row in rows}


def _place(row: Mapping[str, Any]) -> _Place:
    return row["observed_to"], row["item_id"]


def _nodes(trace: TraceMap, row: Mapping[str, Any]) -> list[Node]:
    return list(trace.nodes({**row, "payload": json.loads(row["payload"])}, row["evidence"]))


def graph_from(connection: Connection, placed: Placed) -> Graph:
    """Oldest first: of several of one name the first is meant."""
    nodes = tuple(node for place in sorted(placed) for node in placed[place])
    return Graph(nodes, _accounts(connection))


def cycle_of(trace: TraceMap) -> Cycle:
    ties = tuple(_tie(one) for one in trace.kinds if one.stage is None)
    failing = tuple(name for name, stage in trace.stages.items() if stage in BY_OUTCOME)
    return Cycle(trace.native, trace.evidence, ASKED, ties, failing)


def _accounts(connection: Connection) -> dict[str, str]:
    return accounts(records(connection, "roles", "roles_register"))


def _tie(kind: KindOf) -> Tie:
    """A name that is joined of parts is not sought as a whole: who has one is always asked."""
    joined = [name for name in kind.keys if len(name.places) > 1]
    names = (*joined, *(name for many in kind.names.values() for name in many))
    keys = tuple(_where(name) for name in kind.keys if name not in joined)
    after = tuple((_where(name), name.after) for name in names if name.after)
    return Tie(kind.kinds, keys, tuple(_where(name) for name in names if not name.after), after)


def _where(name: Name) -> str:
    field = name.places[0]
    return "".join(("$", *(f'."{key}"' for key in field.path))) if field.path else field.column


def show(file: Path, about: str, asked: Asked | None, form: str) -> int:
    """Print the life of a system, model version or risk, or of everything; 3 if an edge is broken.

    Raises ConfigError, LakeError.
    """
    if form not in FORMS:
        raise ConfigError(f"--format {form!r}: choose one of {', '.join(FORMS)}")
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    shown = answered(lake, config, asked)
    with shown.connect(lake, ample()) as connection:
        graph = _asked(connection, about, whole=form != "tree")
    traced = trace(graph, about, broken_edges(Look(graph, shown.at)))
    if form == "json":
        print(for_machines(_machine(traced, shown.token)))
    elif form in PICTURES:
        print(PICTURES[form](picture(traced.nodes, traced.broken)))
    else:
        _print(traced, shown.token, shown.notes)
    return 3 if traced.broken else 0


def trace(graph: Graph, about: str, broken: Sequence[Broken]) -> Traced:
    """What belongs to a system, a version or a risk ("": to anything). Raises ConfigError."""
    if not about:
        return Traced("", graph.nodes, broken)
    start = _start(graph, about)
    if start is None:
        raise ConfigError(_unknown(graph, about))
    near = graph.around(start)
    ids = {one.item_id for one in near}
    holes = [b for b in broken if not b.item_ids or not ids.isdisjoint(b.item_ids)]
    return Traced(about, near, holes)


def _asked(connection: Connection, about: str, *, whole: bool) -> Graph:
    if about:
        return graph_about(connection, load_trace(), about)
    return (graph_of if whole else tied_graph)(connection, load_trace())


def _start(graph: Graph, about: str) -> Node | None:
    """The node of that name, a system before all others; else the first of a system called so."""
    named = (n for stage in (Stage.SYSTEM, *Stage) if (n := graph.find(stage, about)))
    return next(named, None) or next(iter(graph.of_system(about)), None)


def _unknown(graph: Graph, about: str) -> str:
    known = sorted(n.key for n in graph.at(Stage.SYSTEM))[:10]
    told = ", ".join(known) or "no system is registered"
    return f"{about!r} is no system, model version, risk or other name that landed; systems: {told}"


def _machine(traced: Traced, token: str) -> dict[str, Any]:
    return {
        "as_of": token, "about": traced.about,
        "nodes": [
            {"stage": n.stage.value, "key": n.key, "title": n.title, "system": n.system,
             "at": plain(n.at), "who": n.who, "outcome": n.outcome, "item_id": n.item_id,
             "names": [{"stage": r.stage.value, "key": r.key} for r in n.names]}
            for n in traced.nodes
        ],
        "broken": [
            {"check": b.check, "stage": b.stage.value, "about": b.about, "system": b.system,
             "missing": b.missing.value, "why": b.why, "item_ids": list(b.item_ids)}
            for b in traced.broken
        ],
    }  # fmt: skip


def _print(traced: Traced, token: str, notes: Sequence[str]) -> None:
    console = Screen(highlight=False)
    console.print(f"as of {token}")
    if traced.about:
        _tree(console, traced)
    if not traced.broken:
        console.print("no edge is broken among what landed")
    else:
        table = Table("system", "what", "why", "item")
        for one in traced.broken[:MOST]:
            item = one.item_ids[0][:12] if one.item_ids else ""
            cells = (one.system, one.check, one.why, item)
            table.add_row(*(escape(printable(cell)) for cell in cells))
        console.print(table)
        more = len(traced.broken) - MOST
        told = f", {more} of them not shown: --format json tells all" if more > 0 else ""
        console.print(f"{many(len(traced.broken), 'broken edge')}{told}")
    for note in notes:
        console.print(f"note: {escape(printable(note))}", soft_wrap=True)


def _tree(console: Screen, traced: Traced) -> None:
    tree = Tree(f"[bold]{escape(printable(traced.about))}[/]")
    for stage in Stage:
        nodes = [n for n in traced.nodes if n.stage is stage]
        holes = [b for b in traced.broken if b.missing is stage]
        if not nodes and not holes:
            continue
        mark = f" [bold red]✗ {len(holes)} broken[/]" if holes else ""
        branch = tree.add(f"{stage.value} · {len(nodes)}{mark}")
        for node in sorted(nodes, key=lambda n: (n.at is not None, n.at), reverse=True)[:SHOWN]:
            failed = "[red]✗ failed[/] " if node.failed else ""
            who = f" · {node.who}" if node.who else ""
            branch.add(f"{failed}{escape(printable(f'{node.day}  {node.title}{who}'))}")
        if len(nodes) > SHOWN:
            branch.add(f"… and {len(nodes) - SHOWN} more")
        for one in holes[:SHOWN]:
            branch.add(f"[bold red]✗ {one.check}[/]  {escape(printable(one.about))}")
    console.print(tree)
