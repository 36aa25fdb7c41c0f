"""The verbs of the engineer: set up, collect, judge, serve."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, AsOf, ConfigFile, moment_asked

verbs = typer.Typer()
PANEL = "Set up and collect"


@verbs.command(rich_help_panel=PANEL)
def init(
    folder: Annotated[Path, typer.Argument(help="An empty or new folder.")] = Path(),
    name: Annotated[str, typer.Option(help="The organisation's name.")] = "Your organisation",
    lake: Annotated[
        str, typer.Option(help="A folder, or s3://bucket/prefix with credentials in AWS_….")
    ] = "lake",
    registers: Annotated[
        Path | None,
        typer.Option(help="A folder for drafts of registers and documents, to keep in git."),
    ] = None,
) -> None:
    """Write a first headwater.toml with a key and an empty lake; and drafts of registers."""
    from flows.setup import initialise

    for line in initialise(folder, name, lake, registers):
        typer.echo(line)


@verbs.command(rich_help_panel=PANEL)
def check(config: ConfigFile = DEFAULT) -> None:
    """Check the configuration and ask every source whether it answers; all mistakes at once."""
    from flows.check import check_all

    raise typer.Exit(check_all(config, typer.echo))


@verbs.command(rich_help_panel=PANEL)
def collect(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources; all if none.")] = None,
    config: ConfigFile = DEFAULT,
    direct: Annotated[
        bool,
        typer.Option(
            "--direct", help="Without Prefect: no run history, and only a busy lake is tried again."
        ),
    ] = False,
    since: Annotated[
        str, typer.Option(help="Backfill: from this date, or time with a zone, on.")
    ] = "",
    until: Annotated[str, typer.Option(help="Backfill: up to, not including, this time.")] = "",
) -> None:
    """Pull the sources, land what is new, tag and seal it; or a window of their past."""
    from flows.run import collect_now

    raise typer.Exit(collect_now(config, sources or [], direct=direct, since=since, until=until))


@verbs.command(name="try", rich_help_panel=PANEL)
def try_(
    source: Annotated[str, typer.Argument(help="The source's name.")],
    config: ConfigFile = DEFAULT,
    count: Annotated[int, typer.Option("--count", "-n", help="How many items.", min=1)] = 3,
) -> None:
    """Show a source's first items, and the records they are made from; nothing lands."""
    from flows.try_source import try_source

    raise typer.Exit(try_source(config, source, count, typer.echo))


@verbs.command(rich_help_panel=PANEL)
def freshness(config: ConfigFile = DEFAULT) -> None:
    """Run the freshness flow once: judge everything as of now and keep what changed."""
    from flows.run import judge_now

    raise typer.Exit(judge_now(config))


@verbs.command(rich_help_panel=PANEL)
def watch(config: ConfigFile = DEFAULT) -> None:
    """Look once whether Headwater itself is in order; exit 3 if not. What changed lands."""
    from flows.watching import run

    raise typer.Exit(run(config, typer.echo))


@verbs.command(rich_help_panel=PANEL)
def serve(config: ConfigFile = DEFAULT) -> None:
    """Keep the schedules of all sources and of freshness on this machine."""
    from flows.serve import serve_all

    serve_all(config)


@verbs.command(rich_help_panel=PANEL)
def deploy(
    config: ConfigFile = DEFAULT,
    pool: Annotated[str, typer.Option(help="The work pool whose workers run it.")] = "headwater",
    image: Annotated[str, typer.Option(help="Of a Docker or Kubernetes pool.")] = "",
    as_yaml: Annotated[
        bool, typer.Option("--yaml", help="Print a prefect.yaml instead, to review and keep.")
    ] = False,
) -> None:
    """Deploy every schedule to a Prefect server, with a limit for each host that is asked."""
    from flows.deploy import run

    raise typer.Exit(run(config, pool, image, typer.echo, as_yaml=as_yaml))


@verbs.command(rich_help_panel=PANEL)
def dashboard(
    config: ConfigFile = DEFAULT,
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8042,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write it and stop: all in one file (NAME.html), or a folder of pages.",
        ),
    ] = None,
    as_of: AsOf = "",
    open_loopback: Annotated[
        bool, typer.Option(help="Answer on this machine without a token.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="Another address to listen at: behind a proxy with TLS only.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None, typer.Option(help="By which it is asked there (the Host of a request).")
    ] = None,
) -> None:
    """Show the board: served on a loopback address, or written as one file or a folder.

    Refuses to serve without HEADWATER_BOARD_TOKEN in the environment or --open-loopback.
    """
    from flows.show import show_board

    raise typer.Exit(
        show_board(config, port, output, moment_asked(as_of), open_loopback, host, name or ())
    )


@verbs.command(rich_help_panel=PANEL)
def demo(
    folder: Annotated[Path, typer.Argument(help="Where the company is built.")] = Path(
        "demo-company"
    ),
    port: Annotated[int, typer.Option(help="Of the board; 0 takes a free one.")] = 8042,
    serve: Annotated[
        bool | None, typer.Option(help="Serve the board; by default only in a terminal.")
    ] = None,
) -> None:
    """Build a small real company, collect, judge, and show its board. No account, no network."""
    from flows.demonstrate import demonstrate

    watching = sys.stdout.isatty() and os.environ.get("CI", "") in ("", "false")
    raise typer.Exit(demonstrate(folder, port, watching if serve is None else serve))
