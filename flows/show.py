"""Show the board: served on a loopback address, or as one static file."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from dashboards.asked import Asked as Shown
from dashboards.gate import Gate
from dashboards.links import Served
from dashboards.login import Login
from dashboards.pages.overview import overview
from dashboards.reading import Note
from dashboards.reads import Reads
from dashboards.ready import Shelf
from dashboards.render import render_page
from dashboards.server import app, serve
from dashboards.static_site import write, write_site
from evidence.errors import ConfigError
from evidence.secret import Secret
from flows.access import Granted, accesses, checked
from flows.asks import questions
from flows.board_part import part
from flows.board_reads import held_reads, reads
from flows.board_ready import board_now, from_shelf, preparing, shelf_of
from flows.config import Config, load, now
from flows.moment import Asked
from flows.outlook import TOKEN, health
from flows.read_log import ReadLog
from flows.sessions import sessions
from storage.lake import Lake

HERE = "127.0.0.1"


def show_board(
    file: Path, port: int, output: Path | None, asked: Asked | None, open_loopback: bool,
    host: str = HERE, names: Collection[str] = (),
) -> int:  # fmt: skip
    """Write the file or the folder `output` if given, else serve until stopped.

    Raises ConfigError.
    """
    config = load(file)
    if output is not None:
        _write(config, asked, output)
        return 0
    token = os.environ.get(TOKEN, "")
    _locked(config, bool(token), open_loopback, host)
    secret = Secret(token) if token else None
    serve_board(
        checked(config), port, token=secret, asked=asked, host=host, names=names,
        open_loopback=open_loopback,
    )  # fmt: skip
    return 0


def _locked(config: Config, token: bool, open_loopback: bool, host: str) -> None:
    """Raise ConfigError where it is not said who may read, or said in two ways."""
    if open_loopback and config.access:
        raise ConfigError(
            f"{config.file}: [[access]] says who may read; --open-loopback would let in everybody "
            "on this machine: leave it out"
        )
    if not token and not config.access and not open_loopback:
        raise ConfigError(
            f"write who may read as [[access]] in {config.file} (docs/access.md), or set {TOKEN}, "
            "or say --open-loopback for this machine only"
        )
    if open_loopback and not token and host != HERE:
        raise ConfigError(f"--host {host}: beyond this machine write [[access]], or set {TOKEN}")


def _write(config: Config, asked: Asked | None, output: Path) -> None:
    """Everything in one file by the ending .html, else a folder of pages."""
    board = None if asked else board_now(config)
    try:
        if output.suffix == ".html":
            write(board or reads(config, asked).board(""), output)
            print(f"written {output}")
        else:
            with held_reads(config, asked, board) as pages:
                number = write_site(pages, output)
            print(f"written {number} pages: open {output / 'index.html'}")
    except OSError as error:
        told = error.strerror or error
        raise ConfigError(f"{output} cannot be written: {told}") from error


def serve_board(
    config: Config, port: int, *, token: Secret | None, asked: Asked | None = None,
    host: str = HERE, names: Collection[str] = (), open_loopback: bool = False,
) -> None:  # fmt: skip
    """Serve the board until stopped, to those whom [[access]] or the token lets in; where
    `open_loopback` says so, to whoever is on this machine."""
    log, shelf = ReadLog(config), shelf_of(config, asked)
    application = board_app(
        config, token=token, asked=asked, names=names, open_loopback=open_loopback, note=log.note,
        shelf=shelf,
    )  # fmt: skip
    _warm(from_shelf(config, shelf, asked), shelf)
    told = "The board is at {} (Ctrl-C stops it)"
    try:
        with log.running(), shelf.running():
            serve(application, host, port, ready=lambda url: print(told.format(url), flush=True))
    except OSError as error:
        raise ConfigError(
            f"port {port} cannot be used ({error}); --port 0 takes a free one"
        ) from error


def _warm(whole: Reads, shelf: Shelf) -> None:
    """Draw the first page of the board that was kept, if there is one, before anybody asks for it:
    the first reader then waits for neither file nor templates."""
    if board := shelf.begin():
        held = replace(whole, board=lambda _as_of: board, past=lambda _as_of: board.past)
        render_page(overview(held, "", Shown()), Served())


def board_app(
    config: Config, *, token: Secret | None, asked: Asked | None = None,
    names: Collection[str] = (), open_loopback: bool = False, note: Note | None = None,
    shelf: Shelf | None = None,
) -> Gate:  # fmt: skip
    """The board, the questions and the health of this configuration, behind their gate."""
    Lake.open(config.lake, clock=now)
    shelf = shelf or shelf_of(config, asked)
    whole = from_shelf(config, shelf, asked)
    granted = Granted(config.file)
    known = [urlsplit(config.login.url).hostname or ""] if config.login else []
    login = _login(config, granted)
    parts = lru_cache(64)(lambda excerpt: part(config, whole, excerpt, asked))
    shelf.prepare = preparing(granted, parts)
    return app(
        whole,
        part=parts,
        token=token,
        allow_loopback=open_loopback,
        hosts=(*names, *known),
        health=None if asked else health(config),
        grants=granted,
        questions=questions(config),
        note=note,
        login=login,
        accesses=accesses(config, granted, login),
    )


def _login(config: Config, granted: Granted) -> Login | None:
    if config.login is None:
        return None
    return Login(config.login, now, granted, sessions(config))
