"""Where the log keeps the cursors of a source: its own, and those of lines beside it.

Every commit of a source carries the marker of the source, and its own cursor or where that lies.
One of a line (a backfill) carries the line's marker and cursor besides, so that two runs of one
source, whatever their lines, notice one another.
"""

from __future__ import annotations

from evidence.errors import LakeError
from storage.commits import read_commit
from storage.delta import Table

_CURSOR, _POINTER = "cursor", "cursor_in"
_LINE, _LINE_POINTER = "line_cursor", "line_cursor_in"


def held(table: Table, app: str) -> tuple[int, str | None] | None:
    """The version that holds the cursor of an app, and its text; None if it never landed.

    Raises LakeError if the log that holds it is gone.
    """
    marker = table.marker(app)
    if marker is None:
        return None
    # The marker is the least version that the commit could get, so it lies there or just after.
    commit = table.find(app, marker, since=marker)
    name, pointer = (_LINE, _LINE_POINTER) if _is_line(app) else (_CURSOR, _POINTER)
    kept_in = commit.metadata.get(pointer, commit.version)
    if kept_in is None:  # only lines of this source have landed yet
        return None
    holder = commit if kept_in == commit.version else read_commit(table.place, kept_in)
    if holder is None or name not in holder.metadata:
        source = app.split(":")[1]
        raise LakeError(f"{source}: log file {kept_in} with its cursor is gone; restore it")
    return kept_in, holder.metadata[name]


def told(
    table: Table, app: str, line: str, pointed: int | None, cursor: str | None
) -> dict[str, object]:
    """What a commit says of cursors: one that did not move is only pointed at."""
    if not line:
        return {_CURSOR: cursor} if pointed is None else {_POINTER: pointed}
    own = held(table, app)
    main: dict[str, object] = {_POINTER: None if own is None else own[0]}
    return main | ({_LINE: cursor} if pointed is None else {_LINE_POINTER: pointed})


def _is_line(app: str) -> bool:
    return app.count(":") > 1
