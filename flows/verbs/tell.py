"""The verbs of who wants to be told."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, By, ConfigFile

verbs = typer.Typer()
PANEL = "Tell"
alerts = typer.Typer(no_args_is_help=True, help="Who is told of what needs a person, and when.")
verbs.add_typer(alerts, name="alert", rich_help_panel=PANEL)


@alerts.command("send")
def alert_send(config: ConfigFile = DEFAULT) -> None:
    """Judge, and send what is due; exit 1 if a channel takes nothing."""
    from flows.alerting import send

    raise typer.Exit(send(config, typer.echo))


@alerts.command("preview")
def alert_preview(config: ConfigFile = DEFAULT) -> None:
    """Say what would be sent now, to whom and why, and what waits. Nothing is sent."""
    from flows.alerting import preview

    raise typer.Exit(preview(config, typer.echo))


@alerts.command("list")
def alert_list(config: ConfigFile = DEFAULT) -> None:
    """Say what is open and who was told; exit 3 if a channel takes nothing."""
    from flows.alerting import list_open

    raise typer.Exit(list_open(config, typer.echo))


@alerts.command("test")
def alert_test(
    channel: Annotated[str, typer.Argument(help="The name of an [[alert]].")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Send a test to a channel, for real; exit 1 if it is not taken."""
    from flows.alerting import test

    raise typer.Exit(test(config, channel, typer.echo))


@alerts.command("hush")
def alert_hush(
    name: Annotated[str, typer.Argument(help="Such as db-upgrade.")],
    until: Annotated[str, typer.Option(help="A moment with a zone, 90 days ahead at most.")],
    by: By,
    why: Annotated[str, typer.Option(help="Why; stands in the record and on the board.")],
    config: ConfigFile = DEFAULT,
    source: Annotated[str, typer.Option(help="Only what concerns this source.")] = "",
    system: Annotated[str, typer.Option(help="Only what concerns this AI system.")] = "",
) -> None:
    """Tell nobody for a while, as during maintenance; what is held is told afterwards."""
    from datetime import UTC, datetime

    from flows._alerts.memory import Hush
    from flows.alerting import hush

    wanted = Hush(name, by, why, datetime.max.replace(tzinfo=UTC), source, system)
    raise typer.Exit(hush(config, wanted, until, typer.echo))


@alerts.command("unhush")
def alert_unhush(
    name: Annotated[str, typer.Argument(help="The hush.")], by: By, config: ConfigFile = DEFAULT
) -> None:
    """End a hush before its time."""
    from flows.alerting import unhush

    raise typer.Exit(unhush(config, name, by, typer.echo))


@alerts.command("ack")
def alert_ack(
    key: Annotated[str, typer.Argument(help="The key of a cause, as `alert list` shows it.")],
    until: Annotated[str, typer.Option(help="A moment with a zone, 90 days ahead at most.")],
    by: By,
    why: Annotated[str, typer.Option(help="What is being done; stands in the record.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Say who has a cause in hand: nobody else is told of it until then, unless it gets worse."""
    from flows.acknowledging import ack

    raise typer.Exit(ack(config, key, by=by, why=why, until=until, say=typer.echo))


@alerts.command("unack")
def alert_unack(
    key: Annotated[str, typer.Argument(help="The key of a cause, as `alert list` shows it.")],
    by: By,
    config: ConfigFile = DEFAULT,
) -> None:
    """Give a cause back before that: it is escalated as before."""
    from flows.acknowledging import unack

    raise typer.Exit(unack(config, key, by, typer.echo))
