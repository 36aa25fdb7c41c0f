"""Catalogue, statement of applicability and crosswalks as a folder of OSCAL files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evidence.errors import ConfigError
from flows.config import load, now
from flows.judgement import Judged, judge_lake
from flows.moment import Asked, answered
from mappings import oscal
from storage.lake import Lake


def export(file: Path, folder: Path, asked: Asked | None) -> int:
    """Write all documents into a new or empty folder, as of a moment; 0. Raises ConfigError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder}: choose a new or empty folder")
    config = load(file)
    lake = Lake.open(config.lake, clock=now)
    judged = judge_lake(lake, answered(lake, config, asked))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, document in documents(judged):
            text = json.dumps(document, indent=2, ensure_ascii=False)
            (folder / name).write_text(f"{text}\n", encoding="utf-8")
            print(folder / name)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be written: {error}") from error
    print(judged.moment.sentence(judged.digest))
    return 0


def documents(judged: Judged) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file's name and content: OSCAL 1.2 catalogs, profile and mapping collections."""
    mapping, at = judged.moment.mapping, judged.at
    yield oscal.CATALOG, oscal.catalog(mapping, at)
    yield oscal.PROFILE, oscal.profile(mapping, dict(_decisions(judged.soa)), at)
    for framework in mapping.frameworks.values():
        yield f"{framework.id}.json", oscal.framework_catalog(mapping, framework, at)
        yield f"to-{framework.id}.json", oscal.mapping_collection(mapping, framework, at)


def _decisions(soa: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, tuple[bool, str]]]:
    """What the register says and may say: leaving a control out takes a reason."""
    for number, row in soa.items():
        included, why = row.get("applicable"), str(row.get("reason") or "").strip()
        if not row.get("problems") and (included is True or (included is False and why)):
            yield number, (included, why)
