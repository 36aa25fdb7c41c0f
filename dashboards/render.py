"""Values in, a self-contained HTML document out: no script, no outside host, locked style."""

from __future__ import annotations

import base64
import functools
import hashlib
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards import answers, summary, text
from dashboards.access import Reader
from dashboards.links import PLACES, Address, Links, OneFile
from dashboards.model import Board
from dashboards.pages.overview import drawn
from dashboards.pages.page import Page
from dashboards.sessions import Session
from dashboards.tables import Code, Ref, Word
from evidence.freshness import ORGANISATION

_HERE = Path(__file__).parent


def render(board: Board) -> str:
    """The whole board as one HTML document, which holds the items it links to."""
    page = _environment().get_template("board.html")
    return page.render(links=OneFile(_parts(board)), **drawn(board))


def _parts(board: Board) -> frozenset[Address]:
    found = [Address(kind) for kind in ("controls", "sources", "queue", "frameworks")]
    found += [Address("controls", row.control) for row in board.controls]
    found += [Address("sources", source.source) for source in board.sources]
    found += [Address("frameworks", known.framework) for known in board.frameworks]
    found += [Address("items", item_id) for item_id in board.items]
    return frozenset(found)


def render_page(page: Page, links: Links) -> str:
    """One page as an HTML document."""
    template = _environment().get_template(page.template)
    return template.render(page=page, head=page.head, links=links, **page.values)


def render_query(**given: Any) -> str:
    """The query page: what can be asked, and the answer if something was."""
    return _environment().get_template("query.html").render(policy=policy(forms=True), **given)


def render_you(reader: Reader, *, signed_in: bool) -> str:
    """Who is known to ask, what is shown to them, and how they sign out."""
    page = _environment().get_template("you.html")
    return page.render(policy=policy(forms=True), reader=reader, signed_in=signed_in)


def render_end(reader: Reader, session: Session) -> str:
    """What ending the sessions of this person does, and the form that does it."""
    page = _environment().get_template("end.html")
    return page.render(policy=policy(forms=True), reader=reader, session=session)


def render_message(heading: str, sentence: str, back: str = "") -> str:
    """A page that says one thing, for refusals and errors."""
    page = _environment().get_template("message.html")
    return page.render(heading=heading, sentence=sentence, back=back)


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
        "coded": text.coded,
        "cell_text": answers.text,
        "day": text.day,
        "exact": text.exact,
        "lasting": text.lasting,
        "long_day": text.long_day,
        "many": text.many,
        "parted": text.parted,
        "tick": text.tick,
        "web_address": text.web_address,
        "when": text.when,
    }
    environment.tests |= {
        "code": lambda cell: isinstance(cell, Code),
        "day": lambda cell: isinstance(cell, date) and not isinstance(cell, datetime),
        "ref": lambda cell: isinstance(cell, Ref),
        "time": lambda cell: isinstance(cell, datetime),
        "word": lambda cell: isinstance(cell, Word),
    }
    environment.globals |= {
        "PLACES": {"overview": "Overview"} | {kind: kind.capitalize() for kind in PLACES},
        "policy": policy(),
        "style": Markup(_style()),  # noqa: S704  our own file
        "ORGANISATION": ORGANISATION,
        "MEANING": summary.MEANING,
        "WORST_FIRST": summary.WORST_FIRST,
        "cell": summary.cell,
        "collector_clock": summary.collector_clock,
        "context_words": text.context_words,
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
