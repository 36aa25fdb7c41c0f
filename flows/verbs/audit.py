"""The verbs of audits: what they found and asked for, and the documents that people fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, AsJson, AsOf, ConfigFile, VerbFirst, moment_asked

verbs = typer.Typer()
PANEL = "Look"
NewFile = Annotated[
    Path | None, typer.Option("--output", "-o", help="A new file; else it is printed.")
]
DocumentForm = Annotated[
    str, typer.Option("--format", help="md: to fill in and commit; html: to print and sign.")
]

audits = typer.Typer(
    cls=VerbFirst,
    help="Audits, findings, corrective actions and certification; a report to fill in.",
)
verbs.add_typer(audits, name="audits", rich_help_panel=PANEL)


@audits.command("show")
def audits_show(
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    json: AsJson = False,
) -> None:
    """Show audits, findings, corrective actions and certification; exit 3 if any is late or lacks
    something."""
    from flows.audits import show

    raise typer.Exit(show(config, moment_asked(as_of), as_json=json))


@audits.command("report")
def audits_report(
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id in the register.")],
    output: NewFile = None,
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    form: DocumentForm = "md",
) -> None:
    """Write the plan and report of one audit (9.2) from what is known, to fill in."""
    from flows.audit_report import write

    raise typer.Exit(write(config, name, output, moment_asked(as_of), form))


@verbs.command(rich_help_panel=PANEL)
def review(
    output: NewFile = None,
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    form: DocumentForm = "md",
) -> None:
    """Assemble the inputs of a management review (9.3) as a document."""
    from flows.review import write

    raise typer.Exit(write(config, output, moment_asked(as_of), form))


requests = typer.Typer(
    cls=VerbFirst, help="An auditor's requests: what is found for each, what is late, next year's.",
)  # fmt: skip
verbs.add_typer(requests, name="requests", rich_help_panel=PANEL)


@requests.command("show")
def requests_show(
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
    json: AsJson = False,
) -> None:
    """Show each request with the rows found now; exit 3 if one is late, empty or unreadable."""
    from flows.request_answers import show

    raise typer.Exit(show(config, moment_asked(as_of), as_json=json))


@requests.command("renew")
def requests_renew(
    year: Annotated[int, typer.Argument(help="The year that the list is for.")],
    output: NewFile = None,
    config: ConfigFile = DEFAULT,
    as_of: AsOf = "",
) -> None:
    """Write the register for another year: dates and periods moved, every state open."""
    from flows.request_answers import renew

    raise typer.Exit(renew(config, year, output, moment_asked(as_of)))
