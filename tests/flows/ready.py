"""The ready configurations of docs/rest_api/, made into collectors as headwater.toml would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from collectors.rest_api import RestApi
from evidence.model import Cursor, EvidenceItem
from evidence.runs import PullFacts
from flows.config import load

FOLDER = Path(__file__).resolve().parents[2] / "docs/rest_api"
NAMES = tuple(sorted(file.stem for file in FOLDER.glob("*.toml")))
KEY = "key-of-the-reader"


def ready(
    name: str, url: str, folder: Path, changes: Mapping[str, str] | None = None, key: str = KEY
) -> RestApi:
    """The collector of docs/rest_api/NAME.toml at the origin `url`, all of whose keys are `key`.

    `changes` are texts of the file and what stands there instead. Calls are tried once, unpaced.
    """
    text = (FOLDER / f"{name}.toml").read_text()
    for old, new in (changes or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    text, found = re.subn(r'\burl = "https://[^/"]+', f'url = "{url}', text)
    assert found >= 1
    text = re.sub(r"^calls_per_minute = .*\n", "", text, flags=re.M)
    text = text.replace("[[source]]\n", "[[source]]\nattempts = 1\n", 1)
    file = folder / f"{name}.toml"
    file.write_text('[organisation]\nname = "x"\n' + text)
    keys = dict.fromkeys(re.findall(r'"env:(\w+)"', text), key)
    (source,) = load(file, keys).sources
    collector = source.collector(lambda: datetime.now(UTC))
    assert isinstance(collector, RestApi)
    return collector


def pull(
    collector: RestApi, cursor: Cursor | None = None
) -> tuple[list[EvidenceItem], Cursor, PullFacts]:
    """One whole pull: its items, the cursor after it, and the sum of its facts."""
    items, facts = list[EvidenceItem](), PullFacts()
    for batch in collector.collect(cursor):
        items += batch.items
        facts, cursor = facts + batch.facts, batch.cursor
    assert cursor is not None
    return items, cursor, facts
