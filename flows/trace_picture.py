"""A life cycle as a picture in text: Mermaid, which code hosts draw, and DOT for Graphviz."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evidence.trace import Broken, Node, Stage
from flows.terminal import printable

SHOWN = 6
"""Of each stage the newest, and whatever a broken edge begins at."""
_LONGEST = 60
_WORDS = 160


@dataclass(frozen=True, slots=True)
class Box:
    """One node: what stands in it, and whether its item says that it failed."""

    name: str
    stage: Stage
    lines: tuple[str, ...]
    failed: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """Boxes by stage, arrows between their names, and from which box on what is broken.

    `more` counts what is left out of a stage. A broken edge of no box begins at "".
    """

    boxes: Sequence[Box]
    arrows: Sequence[tuple[str, str]]
    broken: Sequence[tuple[str, str]]
    more: Mapping[Stage, int]


def picture(nodes: Sequence[Node], broken: Sequence[Broken]) -> Picture:
    """What is drawn of these nodes and broken edges."""
    about = {(one.stage, one.about) for one in broken}
    shown: list[Node] = []
    more: dict[Stage, int] = {}
    for stage in Stage:
        at = [node for node in nodes if node.stage is stage]
        newest = sorted(at, key=lambda n: n.at.timestamp() if n.at else 0.0, reverse=True)
        kept = [*newest[:SHOWN], *(n for n in newest[SHOWN:] if (n.stage, n.key) in about)]
        shown += kept
        more |= {stage: len(at) - len(kept)} if len(at) > len(kept) else {}
    names = {(node.stage, key): f"n{place}" for place, node in enumerate(shown)
             for key in reversed(node.keys)}  # fmt: skip
    boxes = [_box(f"n{place}", node) for place, node in enumerate(shown)]
    holes = [(names.get((one.stage, one.about), ""), f"{one.check}: {one.why}") for one in broken]
    return Picture(boxes, list(dict.fromkeys(_arrows(shown, names))), holes, more)


def _box(name: str, node: Node) -> Box:
    who = f" · {node.who}" if node.who else ""
    lines = (node.key, node.title, f"{node.day}{who}")
    return Box(name, node.stage, tuple(dict.fromkeys(_short(one) for one in lines if one)),
               node.failed)  # fmt: skip


def _short(text: str, most: int = _LONGEST) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _arrows(
    shown: Sequence[Node], names: Mapping[tuple[Stage, str], str]
) -> Iterator[tuple[str, str]]:
    """From the earlier stage to the later one, whoever names whom; what is joined by its system
    alone hangs on it."""
    order = list(Stage)
    for place, node in enumerate(shown):
        own, tied = f"n{place}", False
        for one in node.names:
            other = names.get((one.stage, one.key))
            if other is None or other == own:
                continue
            tied = True
            later = order.index(one.stage) > order.index(node.stage)
            yield (own, other) if later else (other, own)
        system = names.get((Stage.SYSTEM, node.system))
        if not tied and system and node.stage is not Stage.SYSTEM:
            later = order.index(node.stage) > order.index(Stage.SYSTEM)
            yield (system, own) if later else (own, system)


def mermaid(drawn: Picture) -> str:
    """As a Mermaid flowchart. What failed or is broken is marked by shape and word."""
    lines = ["flowchart LR"]
    for number, stage, boxes in _stages(drawn):
        lines.append(f'  subgraph s{number}["{_mermaid(stage.value)}"]')
        for box in boxes:
            text = "<br/>".join(map(_mermaid, box.lines))
            lines.append(f'    {box.name}[["✗ failed<br/>{text}"]]' if box.failed
                         else f'    {box.name}["{text}"]')  # fmt: skip
        if stage in drawn.more:
            lines.append(f'    m{number}("… and {drawn.more[stage]} more")')
        lines.append("  end")
    lines += [f"  {one} --> {two}" for one, two in drawn.arrows]
    for number, (begins, why) in enumerate(drawn.broken):
        lines.append(f'  b{number}{{{{"✗ {_mermaid(_short(why, _WORDS))}"}}}}')
        lines += [f"  {begins} -.-x b{number}"] if begins else []
    return "\n".join(lines)


def _mermaid(text: str) -> str:
    """No sign that Mermaid, or the HTML that it draws, takes for its own."""
    return "".join(sign if sign.isalnum() or sign in " .,:·…/@-_✗" else f"#{ord(sign)};"
                   for sign in text)  # fmt: skip


def dot(drawn: Picture) -> str:
    """As a DOT graph: `dot -Tsvg` draws it."""
    lines = ["digraph life {", '  rankdir="LR"; node [shape=box];']
    for number, stage, boxes in _stages(drawn):
        lines.append(f"  subgraph cluster_{number} {{ label={_dot(stage.value)};")
        for box in boxes:
            words = ("✗ failed", *box.lines) if box.failed else box.lines
            shape = ", peripheries=2" if box.failed else ""
            lines.append(f"    {box.name} [label={_dot(*words)}{shape}];")
        if stage in drawn.more:
            lines.append(f"    m{number} [label={_dot(f'… and {drawn.more[stage]} more')}];")
        lines.append("  }")
    lines += [f"  {one} -> {two};" for one, two in drawn.arrows]
    for number, (begins, why) in enumerate(drawn.broken):
        lines.append(f"  b{number} [label={_dot(f'✗ {_short(why, _WORDS)}')}, shape=octagon];")
        lines += [f'  {begins} -> b{number} [style=dashed, label="✗"];'] if begins else []
    return "\n".join([*lines, "}"])


def _dot(*lines: str) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'


def _stages(drawn: Picture) -> Iterator[tuple[int, Stage, list[Box]]]:
    for number, stage in enumerate(Stage):
        if boxes := [box for box in drawn.boxes if box.stage is stage]:
            yield number, stage, boxes


PICTURES: Mapping[str, Callable[[Picture], str]] = {"mermaid": mermaid, "dot": dot}
