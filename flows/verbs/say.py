"""The verbs of people: what they sign for, say is wrong, and answer for."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, By, ConfigFile, WhatFirst

verbs = typer.Typer()
PANEL = "Sign and correct"

corrections = typer.Typer(
    cls=WhatFirst, no_args_is_help=True,
    help="Say that a landed item is wrong (correct ID …), confirm that, or take it back.",
)  # fmt: skip
verbs.add_typer(corrections, name="correct", rich_help_panel=PANEL)


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
    cls=WhatFirst, no_args_is_help=True,
    help="As a person sign for a control (attest 5.2 …), or take that back.",
)  # fmt: skip
verbs.add_typer(statements, name="attest", rich_help_panel=PANEL)


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


waivers = typer.Typer(
    cls=WhatFirst, no_args_is_help=True,
    help="As a person answer for what a control lacks (waive A.6.2.4 …), or end that.",
)  # fmt: skip
verbs.add_typer(waivers, name="waive", rich_help_panel=PANEL)


@waivers.command("control")
def waive_control(
    control: Annotated[str, typer.Argument(metavar="CONTROL", help="Such as 5.2 or A.6.2.4.")],
    by: By,
    why: Annotated[str, typer.Option(help="Why it may wait; stands in the record.")],
    until: Annotated[str, typer.Option(help="The first day on which it no longer holds.")],
    evidence: Annotated[str, typer.Option(help="Only for this kind of evidence.")] = "",
    system: Annotated[str, typer.Option(help="Only for this AI system.")] = "",
    config: ConfigFile = DEFAULT,
) -> None:
    """Answer for evidence that is lacking until a day; never for a failure, and it is not green."""
    from flows.waive import waive

    raise typer.Exit(waive(config, control, evidence, system, by, why, until, typer.echo))


@waivers.command("withdraw")
def waive_withdraw(
    item: Annotated[str, typer.Argument(metavar="ID", help="The waiver's item, or its start.")],
    by: By,
    why: Annotated[str, typer.Option(help="Why; stands in the record.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """End a waiver at once; one person is enough."""
    from flows.waive import withdraw

    raise typer.Exit(withdraw(config, item, by, why, typer.echo))


@waivers.command("list")
def waive_list(config: ConfigFile = DEFAULT) -> None:
    """Show who answers for what, until when and why."""
    from flows.waive import show

    raise typer.Exit(show(config))
