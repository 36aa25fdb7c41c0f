"""Hashes of subjects that were left out: the same in SQL and here, and checked as they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evidence.errors import LakeError
from storage import alone
from storage.alone import FILE, HASH, any_of, hash_of, write
from storage.engine import Limits, open_engine

SUBJECTS = [("jira", "jira.log", "", f"log-{n}") for n in range(40)]
SUBJECTS += [("j\x1fira", "ä\u2028", "x" * 200, "\U0001f600 'quoted'"), ("", "", "", "")]


def test_the_engine_and_python_make_the_same_hash() -> None:
    values = "SELECT unnest($s) AS source, unnest($k) AS kind, unnest($y) AS system"
    given = dict(zip("skyb", map(list, zip(*SUBJECTS, strict=True)), strict=True))
    with open_engine(Limits()) as engine:
        sql = f"SELECT {HASH} FROM ({values}, unnest($b) AS subject)"
        found = [row[0] for row in engine.execute(sql, given).fetchall()]
    assert found == [hash_of(*subject) for subject in SUBJECTS]


def test_each_hash_is_found_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "BLOCK", 8)
    known, others = ([hash_of(*s) for s in part] for part in (SUBJECTS[::2], SUBJECTS[1::2]))
    blocks = write(tmp_path, [np.array(known[:5], np.uint64), np.array(known[5:], np.uint64)])
    assert len(blocks) == 3
    assert all(any_of(tmp_path, blocks, [*others, one]) for one in known)
    assert not any_of(tmp_path, blocks, [*others, 0, 2**64 - 1])
    assert not any_of(tmp_path, write(tmp_path, []), known)


def test_what_was_changed_is_named_where_it_is_read(tmp_path: Path) -> None:
    known = [hash_of(*subject) for subject in SUBJECTS]
    blocks = write(tmp_path, [np.array(known, np.uint64)])
    write(tmp_path, [np.array(known[1:], np.uint64)])
    with pytest.raises(LakeError, match="is not what was written"):
        any_of(tmp_path, blocks, known[:1])
    (tmp_path / FILE).unlink()
    with pytest.raises(LakeError, match="cannot be read"):
        any_of(tmp_path, blocks, known[:1])
    assert not any_of(tmp_path, blocks, [])
