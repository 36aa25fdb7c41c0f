"""A document in Markdown as a page to read and print, and as PDF: nothing is loaded for either."""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from dashboards.text import visible
from evidence.errors import ConfigError

_HERE = Path(__file__).parent
_NO_LIBRARY = (
    "PDF needs Pango, which this machine lacks: install it (Debian: libpango-1.0-0 and "
    "libpangoft2-1.0-0), or print the HTML from a browser"
)


@dataclass(frozen=True, slots=True)
class Paper:
    """A document to print: `facts` are names and values of its front matter, `flaws` say why it
    counts for nothing, `sha256` is of `body`, its Markdown; `file` names it."""

    title: str
    facts: tuple[tuple[str, str], ...]
    flaws: tuple[str, ...]
    body: str
    sha256: str
    file: str


def paper_html(paper: Paper) -> str:
    """As one HTML document that loads nothing. HTML and pictures in the Markdown stay text."""
    page = _environment().get_template("paper.html")
    return page.render(paper=paper, body=_body(paper.body), style=Markup(_style()),  # noqa: S704
                       policy=_policy())  # fmt: skip


def paper_pdf(paper: Paper) -> bytes:
    """The same as a tagged PDF on A4. Raises ConfigError where Pango is missing."""
    try:
        from weasyprint import HTML
    except OSError as error:
        raise ConfigError(_NO_LIBRARY) from error
    made: bytes = HTML(string=paper_html(paper), url_fetcher=_nothing).write_pdf(pdf_tags=True)
    return made


def _nothing(url: str, *_: object, **__: object) -> NoReturn:
    raise ValueError(f"nothing is loaded: {url}")


def _body(markdown: str) -> Markup:
    lines = "\n".join(map(visible, markdown.split("\n")))
    return Markup(_markdown().render(lines))  # noqa: S704  escaped by the renderer


@functools.cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, finalize=_shown,
    )  # fmt: skip


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@functools.cache
def _style() -> str:
    return (_HERE / "static" / "paper.css").read_text(encoding="utf-8")


def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
