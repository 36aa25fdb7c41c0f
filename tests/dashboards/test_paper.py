"""Documents to print: what is in them is shown, nothing is loaded, and a PDF is really one."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import zlib
from ctypes.util import find_library

import pytest

from dashboards.paper import Paper, paper_html, paper_pdf
from evidence.errors import ConfigError

HOSTILE = """# Policy <script>alert(1)</script>

[a](javascript:alert(1)) ![b](http://127.0.0.1:9/x.png) <img src=x onerror=alert(1)>

| one | two |
|---|---|
| \u202ex | **b** |
"""


def paper(body: str = HOSTILE, **more: object) -> Paper:
    facts = (("owner", "<b>Lena</b>"),)
    given: dict[str, object] = {"title": "T </title><script>", "facts": facts, "flaws": (),
                                "body": body, "sha256": "a" * 64, "file": "p.md"}  # fmt: skip
    return Paper(**(given | more))  # type: ignore[arg-type]


def test_hostile_text_stays_text_and_loads_nothing() -> None:
    text = paper_html(paper())
    for tag in ("<script", "<img", "<b>", 'href="javascript'):
        assert tag not in text
    assert "[U+202E]x" in text
    assert "<td><strong>b</strong></td>" in text
    assert "default-src 'none'" in html.unescape(text)


def test_what_counts_for_nothing_says_so_first() -> None:
    text = paper_html(paper(flaws=("Draft: it counts for nothing.",)))
    assert text.index("Draft: it counts") < text.index("<h1>")


@pytest.mark.skipif(
    find_library("pangoft2-1.0") is None and os.environ.get("CI") != "true",
    reason="needs Pango: Debian's libpango-1.0-0 and libpangoft2-1.0-0",
)
def test_a_pdf_is_one() -> None:
    made = paper_pdf(paper(body=HOSTILE + "\n## Žluťoučký кůň\n" * 60))
    assert made.startswith(b"%PDF-")
    assert made.rstrip().endswith(b"%%EOF")
    streams = [
        made,
        *map(zlib.decompress, re.findall(rb"stream\n(x\xda.*?)\nendstream", made, re.S)),
    ]
    whole = b"".join(streams)
    assert b"/StructTreeRoot" in whole, "it can be read out"
    assert not re.search(rb"/JavaScript|/JS\b|/Launch", whole)
    assert made == paper_pdf(paper(body=HOSTILE + "\n## Žluťoučký кůň\n" * 60)), "and the same"


def test_without_pango_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "weasyprint":
                raise OSError("cannot load library 'libpango-1.0-0'")

    for name in [name for name in sys.modules if name.split(".")[0] == "weasyprint"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Gone(), *sys.meta_path])
    with pytest.raises(ConfigError, match="Debian: libpango"):
        paper_pdf(paper())


def test_nobody_pays_for_it_who_prints_nothing() -> None:
    told = "import sys, flows.cli, dashboards.render; print('weasyprint' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stdout.strip() == "False"
