"""Who wrote the organisation's own part of the mapping, and who else looked at it (four eyes).

That nobody else did is a finding, not a failure: it is said until somebody has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from collectors._git.authorship import Authorship, authorship
from dashboards.model import Attention
from evidence.own import ACTION_KIND, OWN_SOURCE
from flows.config import Config
from storage.lake import Lake
from storage.pages import Connection, all_rows
from storage.views import connect

Origin = Mapping[str, Mapping[str, Any]]
REVIEWED = "mapping: who wrote it and who reviewed it"
REVIEW_IT = (
    "Have a second person look at it and commit there, be it a comment; or name them in the "
    "commit: `Reviewed-by: NAME <address>`."
)
KEEP_IT = "Keep it in git, where it shows who changed it and who reviewed that."
SIGNS = 12
_LAST = """
SELECT payload FROM lake_few WHERE source = $source AND kind = $kind AND subject = 'mapping'
ORDER BY landed_at DESC LIMIT 1
"""


def origin(lake: Lake, config: Config) -> dict[str, dict[str, Any]]:
    """Path → its authorship since the mapping changed last, for each part that is one's own."""
    with connect(lake) as connection:
        before = last_origin(connection)
    return {
        name: asdict(authorship(path, str(before.get(name, {}).get("commit", ""))))
        for name, path in _parts(config).items()
    }


def reviewed_since(lake: Lake, config: Config) -> dict[str, Any]:
    """The facts of what became of a finding though the mapping is the same; empty if it stands."""
    parts = _parts(config)
    if not parts:
        return {}
    with connect(lake) as connection:
        before = last_origin(connection)
    found = {name: _again(before[name], path) for name, path in parts.items() if name in before}
    if not any(found.values()):
        return {}
    return {"origin": {name: found.get(name) or dict(before[name]) for name in before}}


def _again(told: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What is to be said now of a part with a finding; empty where that is the same.

    Who commits after another, be it a comment, has seen what lies there: that is the second person.
    """
    if told["flaw"]:
        now = authorship(path)
        return {} if now.flaw else asdict(now)
    now = authorship(path, str(told["commit"])) if told["alone"] else Authorship()
    if now.flaw or not now.authors or (now.alone and set(now.authors) <= set(told["authors"])):
        return {}
    return asdict(replace(now, alone=(), reviewers=now.reviewers or now.authors))


def last_origin(connection: Connection) -> Origin:
    """What the last record of the mapping says of its parts; empty where it says nothing."""
    rows = all_rows(connection, _LAST, {"source": OWN_SOURCE, "kind": ACTION_KIND})
    facts = json.loads(rows[0]["payload"])["facts"] if rows else {}
    told: Origin = facts.get("origin", {})
    return told


def unreviewed(connection: Connection) -> Iterator[Attention]:
    """A sentence for each part that one person alone wrote, or of which nobody can tell."""
    for name, told in last_origin(connection).items():
        if told["flaw"]:
            why = f"{told['flaw']}: nobody can tell who changed it"
            yield Attention("mapping", f"{name}, a part of the mapping, {why}.", KEEP_IT)
        elif told["alone"]:
            commits = ", ".join(commit[:SIGNS] for commit in told["alone"])
            yield Attention(
                "mapping", f"{name}, a part of the mapping, was changed by "
                f"{' and '.join(told['authors'])} without a second person ({commits}).", REVIEW_IT,
            )  # fmt: skip


def _parts(config: Config) -> dict[str, Path]:
    """What of the mapping is the organisation's own, by its path below headwater.toml's folder."""
    own = (*config.own_rules, *config.own_frameworks)
    paths = (*([config.file] if config.overrides else []), *own)
    return {_shown(path, config.folder): path for path in paths}


def _shown(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path.name)
