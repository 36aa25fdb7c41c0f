"""Values in, one self-contained HTML document out: no script, no outside host, locked style."""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards import summary, text
from dashboards.model import Board, ItemPage
from evidence.freshness import ORGANISATION

_HERE = Path(__file__).parent


def render(board: Board, *, served: bool = False) -> str:
    """The whole board as an HTML document.

    As a single file it holds the items it links to; `served` pages link to `/items/{id}` instead.
    """
    page = _environment().get_template("board.html")
    return page.render(
        board=board,
        served=served,
        parts=summary.parts(board),
        urgencies=summary.urgencies(board),
        columns=summary.columns(board),
        next_expiry=summary.next_expiry(board),
        controls={row.control: row for row in board.controls},
        sources={source.source for source in board.sources},
        systems={row.system: row.name for row in summary.columns(board)},
    )


def render_item(item: ItemPage, *, organisation: str = "") -> str:
    """One item as an HTML document of its own, for `/items/{id}`."""
    page = _environment().get_template("item.html")
    return page.render(item=item, organisation=organisation, served=True, systems={})


def render_message(heading: str, sentence: str) -> str:
    """A page that says one thing, for refusals and errors."""
    return _environment().get_template("message.html").render(heading=heading, sentence=sentence)


def policy(*, forms: bool = False) -> str:
    """The Content-Security-Policy of every page: nothing loads, only our style sheet applies.

    With `forms` those of the page may be sent, to where it came from.
    """
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    sent = "'self'" if forms else "'none'"
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        f"base-uri 'none'; form-action {sent}"
    )


@functools.cache
def _style() -> str:
    return (_HERE / "static" / "board.css").read_text(encoding="utf-8")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "anchor": lambda key, kind: text.anchor(kind, key),
        "fragment": lambda key, kind: text.fragment(kind, key),
        "block": text.block,
        "exact": text.exact,
        "item_path": text.item_path,
        "lasting": text.lasting,
        "long_day": text.long_day,
        "many": text.many,
        "web_address": text.web_address,
        "when": text.when,
    }
    environment.globals |= {
        "policy": policy(),
        "style": Markup(_style()),  # noqa: S704  our own file
        "ORGANISATION": ORGANISATION,
        "MEANING": summary.MEANING,
        "WORST_FIRST": summary.WORST_FIRST,
        "cell": summary.cell,
        "collector_clock": summary.collector_clock,
        "count": summary.count,
        "headline": summary.headline,
        "queued": summary.queued,
        "reaches": summary.reaches,
        "healthy": summary.healthy,
        "support": summary.support,
        "word": summary.word,
    }
    return environment


def _finalize(value: Any) -> Any:
    """Every text that a template prints passes here, so none can hide or reorder characters."""
    return (
        text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    )
