"""The one console script: each verb brings its own imports, so that help comes at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from evidence.errors import ConfigError, HeadwaterError, VerificationFailed
from flows.terminal import printable

TELEMETRY_OFF = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "AWS_EC2_METADATA_DISABLED": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
}

app = typer.Typer(
    name="headwater", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="Keep ISO/IEC 42001 evidence collected, tagged, provable and fresh.",
)  # fmt: skip

ConfigFile = Annotated[
    Path, typer.Option("--config", "-c", envvar="HEADWATER_CONFIG", help="The configuration file.")
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of",
        help="A past moment with a zone, such as 2026-11-01T00:00:00Z, or @12345: the first "
        "12345 items of the ledger, or both: 2026-11-01T00:00:00Z@12345, or freeze:NAME.",
    ),
]
DEFAULT = Path("headwater.toml")


@app.command()
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


@app.command()
def check(config: ConfigFile = DEFAULT) -> None:
    """Check the configuration and ask every source whether it answers; all mistakes at once."""
    from flows.check import check_all

    raise typer.Exit(check_all(config, typer.echo))


@app.command()
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


@app.command(name="try")
def try_(
    source: Annotated[str, typer.Argument(help="The source's name.")],
    config: ConfigFile = DEFAULT,
    count: Annotated[int, typer.Option("--count", "-n", help="How many items.", min=1)] = 3,
) -> None:
    """Show a source's first items, and the records they are made from; nothing lands."""
    from flows.sample import try_source

    raise typer.Exit(try_source(config, source, count, typer.echo))


@app.command()
def freshness(config: ConfigFile = DEFAULT) -> None:
    """Run the freshness flow once: judge everything as of now and keep what changed."""
    from flows.run import judge_now

    raise typer.Exit(judge_now(config))


@app.command()
def status(
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    fail_on: Annotated[
        str,
        typer.Option(
            help="Exit 3 if a control is failed; `stale`: or stale; `missing`: or has no evidence."
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say where the controls stand and what needs a person now."""
    from flows.status import show

    raise typer.Exit(show(config, _asked(as_of), fail_on=fail_on, as_json=json))


@app.command()
def sources(
    name: Annotated[str, typer.Argument(help="One source: its last attempts.")] = "",
    config: ConfigFile = DEFAULT,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say how each source does; exit 3 if one is not well."""
    from flows.sources import show

    raise typer.Exit(show(config, name, as_json=json))


@app.command()
def coverage(
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Compare what is registered with what was collected; exit 3 if something is missing."""
    from flows.coverage import show

    raise typer.Exit(show(config, _asked(as_of), as_json=json))


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SELECT over the documented views.")],
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Ask the lake in SQL: read-only, no files, no network."""
    from flows.query import run

    raise typer.Exit(run(config, sql, _asked(as_of), form))


@app.command()
def explain(
    what: Annotated[
        str, typer.Argument(metavar="ID", help="An item id (or its start) or control.")
    ],
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
) -> None:
    """Say why an item speaks to its controls, or what a control has and lacks."""
    from flows.explain import explain as tell

    raise typer.Exit(tell(config, what, typer.echo, _asked(as_of)))


@app.command()
def verify(
    config: ConfigFile = DEFAULT,
    lake: Annotated[
        str | None,
        typer.Option("--lake", help="A lake's folder or s3:// address: no configuration is read."),
    ] = None,
    key: Annotated[
        str, typer.Option("--key", help="The ledger's public key (vkey), or the file it is in.")
    ] = "",
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", help="A note that somebody kept; may be given often."),
    ] = None,
    roots: Annotated[
        Path | None, typer.Option("--roots", help="The time authority's certificates (PEM).")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, help="How many read a large lake; else all processors."),
    ] = None,
) -> None:
    """Recompute every digest and the ledger, and compare with what was signed.

    Needs the public key only; compares with every witness and with each --checkpoint.
    """
    from flows.verify import run

    given = checkpoint or []
    raise typer.Exit(
        run(
            config, typer.echo, lake=lake, key=key, checkpoints=given, roots=roots,
            processes=processes,
        )
    )  # fmt: skip


@app.command()
def checkpoint(config: ConfigFile = DEFAULT) -> None:
    """Print the last seal, to keep where this house cannot change it (`verify --checkpoint`)."""
    from flows.checkpoint import show

    raise typer.Exit(show(config))


@app.command()
def anchor(config: ConfigFile = DEFAULT) -> None:
    """Have the newest seal stamped by the configured time authority (RFC 3161)."""
    from flows.anchoring import run

    raise typer.Exit(run(config, typer.echo))


@app.command()
def selftest(
    config: ConfigFile = DEFAULT,
    demo: Annotated[bool, typer.Option("--demo", help="On a lake made up for it.")] = False,
    keep: Annotated[
        Path | None, typer.Option(help="A new folder in which the attacked copies stay.")
    ] = None,
    items: Annotated[
        int, typer.Option(min=3, help="Of a larger lake only so many items, the newest.")
    ] = 20_000,
) -> None:
    """Forge, cut, replay and back-date copies of the lake; exit 1 if verify misses any of it."""
    from flows.selftest import run

    raise typer.Exit(run(config, demo=demo, keep=keep, items=items))


@app.command()
def rebuild(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="`tags`, or the ledger's `tiles`.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Make again what follows from the evidence; old tags are kept aside, not deleted."""
    from flows.rebuild import rebuild as again

    raise typer.Exit(again(config, what, typer.echo))


@app.command()
def maintain(config: ConfigFile = DEFAULT) -> None:
    """Make few files of many small ones, delete what is past its time, pack the old log."""
    from flows.upkeep import run

    raise typer.Exit(run(config))


@app.command()
def dispose(
    config: ConfigFile = DEFAULT,
    plan: Annotated[str, typer.Option(help="The plan that was shown: carry it out.")] = "",
    by: Annotated[str, typer.Option(help="Who decided it; stands in the record.")] = "",
    why: Annotated[str, typer.Option(help="Why; stands in the record.")] = "",
    finish: Annotated[
        bool, typer.Option("--finish", help="Only finish what was decided and interrupted.")
    ] = False,
) -> None:
    """Show what is past its retention; a confirmed plan is sealed, then removed for good."""
    from flows.dispose import run

    raise typer.Exit(run(config, confirmed=plan, by=by, why=why, finishing=finish))


holds = typer.Typer(no_args_is_help=True, help="Legal holds: what is held is not disposed of.")
app.add_typer(holds, name="hold")


@holds.command("list")
def hold_list(config: ConfigFile = DEFAULT) -> None:
    """Show the holds in force and how many items each keeps."""
    from flows.hold import show

    raise typer.Exit(show(config))


@holds.command("set")
def hold_set(
    name: Annotated[str, typer.Argument(help="Such as case-2026-7.")],
    by: Annotated[str, typer.Option(help="Who wants it; stands in the record.")],
    why: Annotated[str, typer.Option(help="Why; stands in the record.")],
    config: ConfigFile = DEFAULT,
    kind: Annotated[list[str] | None, typer.Option(help="Kinds of items, such as jira.*")] = None,
    system: Annotated[list[str] | None, typer.Option(help="AI systems.")] = None,
    subject: Annotated[list[str] | None, typer.Option(help="Native keys, such as CHG-17.")] = None,
    item: Annotated[list[str] | None, typer.Option(help="Item ids in full.")] = None,
    until: Annotated[str, typer.Option(help="A moment; left out: until it is lifted.")] = "",
) -> None:
    """Keep from disposal what fits all of the given selectors, each of which may be repeated."""
    from flows.hold import set_hold

    given = {"kinds": kind, "systems": system, "subjects": subject, "item_ids": item}
    selected = {key: texts or [] for key, texts in given.items()}
    raise typer.Exit(set_hold(config, name, by, why, until, selected))


@holds.command("release")
def hold_release(
    name: Annotated[str, typer.Argument(help="The hold's name.")],
    by: Annotated[str, typer.Option(help="Who lifts it; stands in the record.")],
    why: Annotated[str, typer.Option(help="Why; stands in the record.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Lift a hold; what it kept may then be disposed of when it is due."""
    from flows.hold import release

    raise typer.Exit(release(config, name, by, why))


frozen = typer.Typer(
    no_args_is_help=True, help="Frozen moments: what an audit looked at, held against what is."
)
app.add_typer(frozen, name="freeze")


@frozen.command("set")
def freeze_set(
    name: Annotated[str, typer.Argument(help="Such as audit-2026.")],
    by: Annotated[str, typer.Option(help="Who wants it; stands in the record.")],
    why: Annotated[str, typer.Option(help="Why; stands in the record.")],
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    until: Annotated[
        str, typer.Option(help="Until when its items are kept; left out: until it is released.")
    ] = "",
) -> None:
    """Fix a sealed moment (the last, if none is given) and its result; keep its items."""
    from flows.freeze import set_freeze

    raise typer.Exit(set_freeze(config, name, by, why, _asked(as_of), until))


@frozen.command("list")
def freeze_list(config: ConfigFile = DEFAULT) -> None:
    """Judge every frozen moment again; exit 3 if one is not what was frozen."""
    from flows.freeze import show

    raise typer.Exit(show(config))


@frozen.command("release")
def freeze_release(
    name: Annotated[str, typer.Argument(help="The freeze's name.")],
    by: Annotated[str, typer.Option(help="Who lets go; stands in the record.")],
    why: Annotated[str, typer.Option(help="Why; stands in the record.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Let go of the items of a freeze; they may then be disposed of when they are due."""
    from flows.freeze import release

    raise typer.Exit(release(config, name, by, why))


class _WhatFirst(TyperGroup):
    """`correct ID …` is `correct item ID …`: what is no verb belongs to the first of the verbs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


corrections = typer.Typer(
    cls=_WhatFirst, no_args_is_help=True,
    help="Say that a landed item is wrong (correct ID …), confirm that, or take it back.",
)  # fmt: skip
app.add_typer(corrections, name="correct")
By = Annotated[str, typer.Option(help="Who says so; stands in the record.")]


@corrections.command("item")
def correct_item(
    item: Annotated[str, typer.Argument(metavar="ID", help="An item id, or its start.")],
    by: By,
    why: Annotated[str, typer.Option(help="Why; stands in the record.")],
    wrong: Annotated[
        str, typer.Option(help="In what: outcome, system, subject, duplicate or mistake.")
    ],
    holds: Annotated[
        str | None,
        typer.Option(help="What holds instead: an outcome, a system, a subject, the other item."),
    ] = None,
    config: ConfigFile = DEFAULT,
) -> None:
    """Say that an item is wrong; it stays, proves nothing any more, and shows its correction."""
    from flows.correct import correct

    raise typer.Exit(correct(config, item, wrong, holds, by, why, typer.echo))


@corrections.command("confirm")
def correct_confirm(
    what: Annotated[str, typer.Argument(metavar="ID", help="Of a correction, or of a withdrawal.")],
    by: By,
    why: Annotated[str, typer.Option(help="What was looked at; stands in the record.")] = "",
    config: ConfigFile = DEFAULT,
) -> None:
    """As a second person stand by a correction, so that its item counts against nothing."""
    from evidence.correction import Act
    from flows.correct import answer

    raise typer.Exit(answer(config, Act.CONFIRM, what, by, why, typer.echo))


@corrections.command("withdraw")
def correct_withdraw(
    what: Annotated[str, typer.Argument(metavar="ID", help="Of a correction.")],
    by: By,
    why: Annotated[str, typer.Option(help="Why; stands in the record.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Take a correction back; another's, or a confirmed one, needs a second person's confirm."""
    from evidence.correction import Act
    from flows.correct import answer

    raise typer.Exit(answer(config, Act.WITHDRAW, what, by, why, typer.echo))


@corrections.command("list")
def correct_list(config: ConfigFile = DEFAULT) -> None:
    """Show every correction and what stands of it."""
    from flows.correct import show

    raise typer.Exit(show(config))


statements = typer.Typer(
    cls=_WhatFirst, no_args_is_help=True,
    help="As a person sign for a control (attest 5.2 …), or take that back.",
)  # fmt: skip
app.add_typer(statements, name="attest")


@statements.command("control")
def attest_control(
    control: Annotated[str, typer.Argument(metavar="CONTROL", help="Such as 5.2 or A.6.2.4.")],
    by: By,
    statement: Annotated[str, typer.Option(help="What is stated, in a sentence.")],
    until: Annotated[str, typer.Option(help="The first day on which it no longer holds.")],
    at: Annotated[
        str, typer.Option(help="The day it was signed on paper, at most 31 days ago; else now.")
    ] = "",
    system: Annotated[str, typer.Option(help="Only for this AI system.")] = "",
    config: ConfigFile = DEFAULT,
) -> None:
    """Sign for a control until a day; it never stands for evidence that is missing."""
    from flows.attest import attest

    raise typer.Exit(attest(config, control, by, statement, until, at, system, typer.echo))


@statements.command("withdraw")
def attest_withdraw(
    item: Annotated[str, typer.Argument(metavar="ID", help="The statement's item, or its start.")],
    by: By,
    why: Annotated[str, typer.Option(help="Why; stands in the record.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Take a statement back at once; one person is enough."""
    from flows.attest import withdraw

    raise typer.Exit(withdraw(config, item, by, why, typer.echo))


@statements.command("list")
def attest_list(config: ConfigFile = DEFAULT) -> None:
    """Show who signed for what, until when, and what counts for nothing."""
    from flows.attest import show

    raise typer.Exit(show(config))


@app.command()
def reveal(
    what: Annotated[str, typer.Argument(metavar="ID", help="An item id, or its start.")],
    config: ConfigFile = DEFAULT,
    salt: Annotated[str, typer.Option(help="Check with this salt instead of the key.")] = "",
) -> None:
    """Prove that an item hides the value given on standard input, or check such a proof."""
    from flows.reveal import reveal as tell

    raise typer.Exit(tell(config, what, sys.stdin.buffer.read(), salt, typer.echo))


@app.command()
def pack(
    control: Annotated[str, typer.Option(help="Such as A.6.2.4 or 5.2.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new .zip file.")],
    config: ConfigFile = DEFAULT,
    system: Annotated[
        str | None, typer.Option(help="Only of this AI system; '' for the organisation.")
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Only items of this kind; repeatable.")
    ] = None,
    as_of: AsOf = "",
) -> None:
    """Write a control's evidence with its proofs as one signed file, checked without Headwater."""
    from flows.pack import write

    asked = _asked(as_of)
    done = write(config, control, output, asked, typer.echo, system=system, kinds=kinds or [])
    raise typer.Exit(done)


@app.command()
def proof(
    output: Annotated[Path, typer.Option("--output", "-o", help="A new file.")],
    item: Annotated[str, typer.Argument(metavar="[ID]", help="An item id, or its start.")] = "",
    config: ConfigFile = DEFAULT,
    since: Annotated[int, typer.Option(help="Instead: the size of an older seal.")] = 0,
    until: Annotated[int, typer.Option(help="The seal to prove it by; the last if none.")] = 0,
) -> None:
    """Prove that an item is sealed, or that the log goes on from an older seal."""
    from flows.proof import write

    raise typer.Exit(write(config, item, since, until, output, typer.echo))


@app.command()
def serve(config: ConfigFile = DEFAULT) -> None:
    """Keep the schedules of all sources and of freshness on this machine."""
    from flows.serve import serve_all

    serve_all(config)


@app.command()
def dashboard(
    config: ConfigFile = DEFAULT,
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8042,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write one static file and stop.")
    ] = None,
    as_of: AsOf = "",
    open_loopback: Annotated[
        bool, typer.Option(help="Answer on this machine without a token.")
    ] = False,
) -> None:
    """Show the board: served on a loopback address, or written as one static file.

    Refuses to serve without HEADWATER_BOARD_TOKEN in the environment or --open-loopback.
    """
    from flows.show import show_board

    raise typer.Exit(show_board(config, port, output, _asked(as_of), open_loopback))


@app.command()
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


def _asked(text: str) -> Any:
    from flows.moment import parse_as_of

    return parse_as_of(text)


def main() -> None:
    """Run a verb; a known error is one clear message and exit code 1, 2 for configuration."""
    _same_rooms()
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
    try:
        app()
    except ConfigError as error:
        _complain(error.mistakes, 2)
    except VerificationFailed as error:
        _complain(error.findings, 1)
    except HeadwaterError as error:
        _complain((str(error),), 1)


def _complain(sentences: tuple[str, ...], code: int) -> None:
    for sentence in sentences:
        typer.echo(f"headwater: {printable(sentence)}", err=True)
    sys.exit(code)


def _same_rooms() -> None:
    """Another package called `storage` or `flows` on the path would be run in our name."""
    import importlib.util

    home = Path(__file__).resolve().parent.parent
    for room in ("collectors", "dashboards", "evidence", "flows", "mappings", "storage"):
        spec: Any = importlib.util.find_spec(room)
        where = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if where != home:
            sys.exit(f"headwater: the package {room!r} comes from {where}, not from {home}")


if __name__ == "__main__":
    main()
