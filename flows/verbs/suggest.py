"""The verbs around a model that proposes: people accept, confirm, reject and take back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, By, ConfigFile, VerbFirst

verbs = typer.Typer()

Proposal = Annotated[str, typer.Argument(metavar="ID", help="Of a proposal, or its start.")]
Decided = Annotated[str, typer.Argument(metavar="ID", help="Of a decision, or of its proposal.")]
Why = Annotated[str, typer.Option(help="Why; stands in the record.")]

suggestions = typer.Typer(
    cls=VerbFirst,
    help="Let a model propose controls for items that no rule takes; a named person decides.",
)  # fmt: skip
verbs.add_typer(suggestions, name="suggest", rich_help_panel="Sign and correct")


@suggestions.command("propose")
def suggest_propose(
    what: Annotated[str, typer.Argument(metavar="ID", help="One item only.")] = "",
    config: ConfigFile = DEFAULT,
) -> None:
    """Propose controls for the next items of the queue, or for one item; nothing is changed."""
    from flows.suggest import propose

    raise typer.Exit(propose(config, what))


@suggestions.command("accept")
def suggest_accept(
    what: Proposal,
    by: By,
    why: Why,
    rule: Annotated[bool, typer.Option("--rule", help="Draft a rule, in place of a tag.")] = False,
    when: Annotated[
        list[str] | None,
        typer.Option(help="With --rule: a field that must be as this item has it; repeatable."),
    ] = None,
    every_item: Annotated[
        bool, typer.Option("--every-item", help="With --rule: take every item of the kind.")
    ] = False,
    stands_for: Annotated[
        str, typer.Option(help="With --rule: the source type that a new kind stands for.")
    ] = "",
    config: ConfigFile = DEFAULT,
) -> None:
    """Accept a proposal: a tag of this one item, or a rule that people commit and review."""
    from evidence.errors import ConfigError
    from flows.decision import Decision
    from flows.suggest_decide import accept
    from mappings.suggest.draft import Wish

    if not rule and (when or every_item or stands_for):
        raise ConfigError("--when, --every-item and --stands-for go with --rule")
    wish = Wish(why, tuple(when or ()), every_item, stands_for) if rule else None
    raise typer.Exit(accept(config, Decision(what, by, why), wish, typer.echo))


@suggestions.command("confirm")
def suggest_confirm(what: Decided, by: By, why: Why, config: ConfigFile = DEFAULT) -> None:
    """As a second person stand by an acceptance."""
    from flows.decision import Decision
    from flows.suggest_decide import confirm

    raise typer.Exit(confirm(config, Decision(what, by, why), typer.echo))


@suggestions.command("reject")
def suggest_reject(what: Proposal, by: By, why: Why, config: ConfigFile = DEFAULT) -> None:
    """Reject a proposal, so that it is not made again."""
    from flows.decision import Decision
    from flows.suggest_decide import reject

    raise typer.Exit(reject(config, Decision(what, by, why), typer.echo))


@suggestions.command("withdraw")
def suggest_withdraw(what: Decided, by: By, why: Why, config: ConfigFile = DEFAULT) -> None:
    """Take a decision back; one person is enough."""
    from flows.decision import Decision
    from flows.suggest_decide import withdraw

    raise typer.Exit(withdraw(config, Decision(what, by, why), typer.echo))


@suggestions.command("list")
def suggest_list(config: ConfigFile = DEFAULT) -> None:
    """Show every proposal and what was decided."""
    from flows.suggest import show

    raise typer.Exit(show(config))


@suggestions.command("measure")
def suggest_measure(
    texts: Annotated[
        Path | None, typer.Option(help="Labelled texts of your own, in place of the shipped ones.")
    ] = None,
    config: ConfigFile = DEFAULT,
) -> None:
    """Hold the model against labelled texts: what it gets right, and when it abstains."""
    from flows.suggest import measured

    raise typer.Exit(measured(config, texts))
