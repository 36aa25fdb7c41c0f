"""The verbs that keep the lake: lean, held, frozen, and what is past its time gone."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, AsOf, ConfigFile, moment_asked

verbs = typer.Typer()
PANEL = "Keep"


@verbs.command(rich_help_panel=PANEL)
def rebuild(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="`tags`, or the ledger's `tiles`.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Make again what follows from the evidence; old tags are kept aside, not deleted."""
    from flows.rebuild import rebuild as again

    raise typer.Exit(again(config, what, typer.echo))


@verbs.command(rich_help_panel=PANEL)
def retag(config: ConfigFile = DEFAULT) -> None:
    """Tag everything by today's rules now; tags of earlier rules stay beside."""
    from flows.rules import retag as again

    raise typer.Exit(again(config))


@verbs.command(rich_help_panel=PANEL)
def maintain(config: ConfigFile = DEFAULT) -> None:
    """Make few files of many small ones, delete what is past its time, pack the old log."""
    from flows.upkeep import run

    raise typer.Exit(run(config))


@verbs.command(rich_help_panel=PANEL)
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
verbs.add_typer(holds, name="hold", rich_help_panel=PANEL)


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
verbs.add_typer(frozen, name="freeze", rich_help_panel=PANEL)


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

    raise typer.Exit(set_freeze(config, name, by, why, moment_asked(as_of), until))


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
