"""The verbs around drafted texts: a model or code alone writes, people decide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.verbs.options import DEFAULT, AsJson, By, ConfigFile

verbs = typer.Typer()

Draft = Annotated[str, typer.Argument(metavar="ID", help="Of a draft, or its start.")]
Why = Annotated[str, typer.Option(help="Why; stands in the record.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="A new file, in place of the terminal.")
]

drafts = typer.Typer(
    no_args_is_help=True,
    help="Draft texts from cited evidence, by a model or by code alone; a named person decides.",
)  # fmt: skip
verbs.add_typer(drafts, name="draft", rich_help_panel="Sign and correct")


@drafts.command("summary")
def draft_summary(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="WHAT...", help="Controls, AI systems (which narrow them down), ids of items."
        ),
    ],
    config: ConfigFile = DEFAULT,
) -> None:
    """Draft what the evidence shows of controls, AI systems or items."""
    from flows.draft import draft

    raise typer.Exit(draft(config, lambda desk: desk.summary(what), typer.echo))


@drafts.command("answer")
def draft_answer(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="Its id in the register.")],
    config: ConfigFile = DEFAULT,
) -> None:
    """Draft the answer to a request of an auditor."""
    from flows.draft import draft

    raise typer.Exit(draft(config, lambda desk: desk.answer(request), typer.echo))


@drafts.command("section")
def draft_section(
    document: Annotated[Path, typer.Argument(metavar="DOCUMENT", help="A Markdown file.")],
    heading: Annotated[str, typer.Argument(metavar="HEADING", help="One of its headings.")],
    about: Annotated[
        list[str] | None,
        typer.Option(
            help="A control, AI system or item that it is to rest on; repeatable. Without it: the "
            "controls that the section names."
        ),
    ] = None,
    config: ConfigFile = DEFAULT,
) -> None:
    """Draft a section of a policy by what the evidence shows is done."""
    from flows.draft import draft

    raise typer.Exit(
        draft(config, lambda desk: desk.section(document, heading, about or ()), typer.echo)
    )


@drafts.command("list")
def draft_list(config: ConfigFile = DEFAULT, json: AsJson = False) -> None:
    """Show every draft and what was decided, or whose decision it waits for, and since when."""
    from flows.draft import show_all

    raise typer.Exit(show_all(config, typer.echo, as_json=json))


@drafts.command("show")
def draft_show(what: Draft, output: Output = None, config: ConfigFile = DEFAULT) -> None:
    """Show a draft, or write it to a file, with who drafted it and who decided."""
    from flows.draft import show

    raise typer.Exit(show(config, what, output, typer.echo))


@drafts.command("accept")
def draft_accept(
    what: Draft, by: By, why: Why, output: Output = None, config: ConfigFile = DEFAULT
) -> None:
    """Accept a draft; with --output it is handed over as a file."""
    from flows.decision import Decision
    from flows.draft_decide import accept

    raise typer.Exit(accept(config, Decision(what, by, why), output, typer.echo))


@drafts.command("reject")
def draft_reject(what: Draft, by: By, why: Why, config: ConfigFile = DEFAULT) -> None:
    """Reject a draft."""
    from flows.decision import Decision
    from flows.draft_decide import reject

    raise typer.Exit(reject(config, Decision(what, by, why), typer.echo))


@drafts.command("withdraw")
def draft_withdraw(what: Draft, by: By, why: Why, config: ConfigFile = DEFAULT) -> None:
    """Take a decision back; one person is enough."""
    from flows.decision import Decision
    from flows.draft_decide import withdraw

    raise typer.Exit(withdraw(config, Decision(what, by, why), typer.echo))


@drafts.command("measure")
def draft_measure(
    sentences: Annotated[
        Path | None,
        typer.Option(help="Labelled sentences of your own, in place of the shipped ones."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Hold the checks of drafts against labelled sentences: which true ones stand, which false
    ones fall."""
    from flows.draft_measure import measured

    raise typer.Exit(measured(sentences, typer.echo, as_json=json))
