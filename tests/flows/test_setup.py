"""`headwater init` may be killed anywhere and run again: each file is whole, or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from evidence.errors import LakeError
from flows.config import load
from flows.keys import public_key_of
from flows.setup import initialise
from storage.keys import load_key, make_key
from storage.lake import Lake


class Killed(BaseException):
    """Stands for the death of the process: nothing catches it."""


def test_killed_at_any_file_and_run_again_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, deaths = os.fsync, 0
    for moment in range(1, 200):
        folder, left = tmp_path / str(moment), [moment]

        def dying(handle: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            real(handle)

        monkeypatch.setattr(os, "fsync", dying)
        try:
            list(initialise(folder, "Test House"))
        except Killed:
            deaths += 1
            left[0] = -1
            list(initialise(folder, "Test House"))
        config = load(folder / "headwater.toml")
        key = load_key(config.key, origin=config.origin)
        assert public_key_of(config) == key.vkey
        assert stat.S_IMODE(config.key.stat().st_mode) == 0o600
        assert config.redactor().key is not None
        Lake.open(config.lake, clock=lambda: pytest.fail("no clock is needed"))
        if left[0] > 0:
            break
    assert 8 < deaths < 150


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    public = make_key(tmp_path / "key", origin="house.example/lake")
    with pytest.raises(LakeError, match=r"there is a key at .* already"):
        make_key(tmp_path / "key", origin="house.example/lake")
    assert load_key(tmp_path / "key").vkey == public
    assert (tmp_path / "key.pub").read_text() == f"{public}\n"


def test_a_renamed_organisation_keeps_its_ledger(tmp_path: Path) -> None:
    folder = tmp_path / "our home"
    told = list(initialise(folder, "Größe & 田中"))
    file = folder / "headwater.toml"
    assert f"next    headwater check -c '{file}', then collect and status" in told
    file.write_text(file.read_text().replace('"Größe & 田中"', '"Other Ltd"'))
    config = load(file)
    assert (config.organisation, config.origin) == ("Other Ltd", "headwater/gr-e")
    load_key(config.key, origin=config.origin)
    with pytest.raises(LakeError, match=r"say origin = \"headwater/gr-e\" in \[ledger\]"):
        load_key(config.key, origin="headwater/other-ltd")
