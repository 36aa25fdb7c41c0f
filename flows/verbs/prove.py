"""The verbs of who does not take our word: seals, proofs, packs, attacks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, AsOf, ConfigFile, moment_asked

verbs = typer.Typer()
PANEL = "Prove"


@verbs.command(rich_help_panel=PANEL)
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
        int,
        typer.Option(
            min=1,
            help="How many share the reading of a large lake: on two it is as "
            "quick as one, and takes twice the memory.",
        ),
    ] = 1,
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


@verbs.command(rich_help_panel=PANEL)
def checkpoint(config: ConfigFile = DEFAULT) -> None:
    """Print the last seal, to keep where this house cannot change it (`verify --checkpoint`)."""
    from flows.checkpoint import show

    raise typer.Exit(show(config))


@verbs.command(rich_help_panel=PANEL)
def anchor(config: ConfigFile = DEFAULT) -> None:
    """Have the newest seal stamped by the configured time authority (RFC 3161)."""
    from flows.anchoring import run

    raise typer.Exit(run(config, typer.echo))


@verbs.command(rich_help_panel=PANEL)
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


@verbs.command(rich_help_panel=PANEL)
def pack(
    output: Annotated[Path, typer.Option("--output", "-o", help="A new .zip file.")],
    controls: Annotated[
        list[str] | None, typer.Option("--control", help="Such as A.6.2.4 or 5.2; repeatable.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="All evidence, tagged or not.")
    ] = False,
    framework: Annotated[
        str, typer.Option(help="All controls that speak to this framework, such as iso27001.")
    ] = "",
    config: ConfigFile = DEFAULT,
    systems: Annotated[
        list[str] | None,
        typer.Option("--system", help="Only of this AI system; '' for the organisation."),
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Only items of this kind; repeatable.")
    ] = None,
    since: Annotated[
        str, typer.Option("--from", help="What tells of this day (UTC) or later, or stood then.")
    ] = "",
    until: Annotated[str, typer.Option("--to", help="What tells of a time before this day.")] = "",
    requests: Annotated[
        list[str] | None,
        typer.Option("--request", help="What answers this request; repeatable, or `all`."),
    ] = None,
    audit: Annotated[str, typer.Option(help="What this audit of the register is of.")] = "",
    as_of: AsOf = "",
) -> None:
    """Write evidence with its proofs as one signed file, checked without Headwater."""
    from flows.pack import write
    from flows.pack_about import narrowing, refuse_beside, wanted_of

    at = moment_asked(as_of)
    if audit or requests:
        refuse_beside(
            "--audit" if audit else "--request", everything, framework, audit and requests
        )
        narrow = narrowing(controls, systems, kinds, since, until)
        if audit:
            from flows.audit_pack import pack as pack_audit

            raise typer.Exit(pack_audit(config, audit, narrow, output, at, typer.echo))
        from flows.request_pack import pack as pack_answers

        raise typer.Exit(pack_answers(config, requests or (), narrow, output, at, typer.echo))
    wanted = wanted_of(controls, framework, systems, kinds, since, until, everything=everything)
    raise typer.Exit(write(config, wanted, output, at, typer.echo))


@verbs.command(rich_help_panel=PANEL)
def sample(
    seed: Annotated[str, typer.Option(help="One line of text that the auditor chooses.")],
    by: Annotated[str, typer.Option(help="Who asks for it; stands in the record.")],
    config: ConfigFile = DEFAULT,
    control: Annotated[str, typer.Option(help="Items that speak to it, such as A.6.2.4.")] = "",
    system: Annotated[
        str | None, typer.Option(help="Only of this AI system; '' for the organisation.")
    ] = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kind", help="Only items of this kind; repeatable.")
    ] = None,
    since: Annotated[str, typer.Option(help="Only what tells of this moment or later.")] = "",
    until: Annotated[str, typer.Option(help="Only what tells of a time before it.")] = "",
    versions: Annotated[
        bool, typer.Option("--versions", help="Every version, not only the last of a subject.")
    ] = False,
    sql: Annotated[str, typer.Option(help="Instead: a SELECT with a column item_id.")] = "",
    size: Annotated[int, typer.Option(min=0, help="How many; else by --frequency.")] = 0,
    frequency: Annotated[
        str,
        typer.Option(
            help="yearly, quarterly, monthly, weekly, daily or many-a-day: how often the "
            "control is carried out; proposes a size."
        ),
    ] = "many-a-day",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new .json file, or .csv.")
    ] = None,
    as_of: AsOf = "",
) -> None:
    """Draw a sample by an auditor's seed from sealed items; anybody can draw it again."""
    from flows.sample import Wanted, run, scope_of

    scope = scope_of(config, control, system, kinds or [], since, until, versions)
    wanted = Wanted(scope, seed, by, size, frequency, sql)
    raise typer.Exit(run(config, wanted, moment_asked(as_of), output, typer.echo))


@verbs.command(rich_help_panel=PANEL)
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


@verbs.command(rich_help_panel=PANEL)
def reveal(
    what: Annotated[str, typer.Argument(metavar="ID", help="An item id, or its start.")],
    config: ConfigFile = DEFAULT,
    salt: Annotated[str, typer.Option(help="Check with this salt instead of the key.")] = "",
) -> None:
    """Prove that an item hides the value given on standard input, or check such a proof."""
    from flows.reveal import reveal as tell

    raise typer.Exit(tell(config, what, sys.stdin.buffer.read(), salt, typer.echo))


@verbs.command(rich_help_panel=PANEL)
def oscal(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
) -> None:
    """Write catalogue, statement of applicability and crosswalks as OSCAL 1.2 (JSON)."""
    from flows.oscal import export

    raise typer.Exit(export(config, folder, moment_asked(as_of)))
