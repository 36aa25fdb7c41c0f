"""File and folder are put in place whole and lead nowhere else; a failure leaves the old one."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from dashboards.detail import ControlFacts
from dashboards.files import slug
from dashboards.render import render
from dashboards.static_site import MARK, addresses, write, write_site
from evidence.errors import LakeError
from tests.dashboards.boards import demo_board, empty_board, hostile_board, reads_of
from tests.dashboards.page import Page


def test_it_replaces_the_old_page(tmp_path: Path) -> None:
    target = tmp_path / "board.html"
    write(demo_board(), target)
    write(empty_board(), target)
    assert target.read_text(encoding="utf-8") == render(empty_board())
    assert [path.name for path in tmp_path.iterdir()] == ["board.html"]


def test_hostile_text_can_be_written(tmp_path: Path) -> None:
    write(hostile_board(), tmp_path / "board.html")
    assert (tmp_path / "board.html").stat().st_size > 0


def test_a_target_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    target = tmp_path / "board.html"
    target.mkdir()
    with pytest.raises(OSError, match=r"board\.html"):
        write(empty_board(), target)
    assert [path.name for path in tmp_path.iterdir()] == ["board.html"]


@pytest.fixture(scope="module", params=["demo", "empty", "hostile"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    board = {"demo": demo_board, "empty": empty_board, "hostile": hostile_board}[request.param]()
    folder = tmp_path_factory.mktemp("sites") / request.param
    assert write_site(reads_of(board), folder) == len(list(addresses(board)))
    return Path(folder)


def test_every_link_of_a_folder_leads_to_a_file_of_it(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    assert len({str(page).casefold() for page in pages}) == len(pages), "one file for each"
    for page in pages:
        drawn = Page.read(page.read_text(encoding="utf-8"))
        links = {link.partition("#")[0] for link in drawn.links()}
        for link in links - {""}:
            if not link.startswith("https://"):
                assert not link.startswith("/"), "it opens from any place"
                target = (page.parent / unquote(link)).resolve()
                assert target.is_file(), f"{page.name}: {link}"
                assert target.is_relative_to(site)


def test_its_file_names_are_safe_everywhere(site: Path) -> None:
    names = [path.relative_to(site).as_posix() for path in site.rglob("*")]
    assert all(re.fullmatch(r"[A-Za-z0-9_./-]{1,120}", name) for name in names)


def test_an_item_says_how_its_proof_is_had(site: Path) -> None:
    """A folder holds none."""
    for page in (site / "items").glob("*.html"):
        told = Page.read(page.read_text(encoding="utf-8")).text
        (item,) = re.findall(r"headwater proof (\S+) -o FILE", told)
        assert page.stem == slug(item)


def test_names_that_differ_have_files_that_differ() -> None:
    keys = ["a/b", "a-b", "A-B", "con", "CON", "..", ".", "-", "x" * 300, "x" * 301, "ü", "ä", "a."]
    names = [slug(key).casefold() for key in keys]
    assert len({*names}) == len(keys)
    assert not [n for n in names if n in {"con", ".", ".."} or n.endswith(".") or len(n) > 100]


def test_a_site_replaces_a_site_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(reads_of(demo_board()), folder)
    write_site(reads_of(empty_board()), folder)
    assert not (folder / "items").exists(), "nothing of the older one is left"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]
    (folder / MARK).unlink()
    with pytest.raises(FileExistsError, match="holds other files"):
        write_site(reads_of(empty_board()), folder)
    assert (folder / "index.html").is_file()


def test_a_site_that_cannot_be_made_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    write_site(reads_of(empty_board()), folder)
    broken = dataclasses.replace(reads_of(demo_board()), control=_gone)
    with pytest.raises(LakeError):
        write_site(broken, folder)
    assert "nothing can be said" in (folder / "index.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def _gone(_control: str, _as_of: str) -> ControlFacts:
    raise LakeError("the lake went away")
