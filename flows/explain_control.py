"""Say of a control what it asks for and why, what it has and lacks, and what people must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from evidence.duration import Duration, Span
from evidence.freshness import Expectation, Scope, Verdict
from flows.framework import gaps_of, spoken_to
from flows.judgement import Judged
from flows.law import told
from flows.unreached import NeedOf
from mappings.controls import Control
from mappings.guide import load_guide
from mappings.law import load_law

Say = Callable[[str], None]


def explain_control(
    judged: Judged, control: Control, unfilled: Mapping[NeedOf, str], say: Say
) -> None:
    """Tell all of it, a line a fact; guidance, records and law are those of today.

    `unfilled` says of needs why nothing that lands can fill them.
    """
    for line in _lines(judged, control, unfilled):
        say(line)


def _lines(judged: Judged, control: Control, unfilled: Mapping[NeedOf, str]) -> Iterator[str]:
    found = judged.standings[control.id]
    yield f"{control.id} {control.title}\n  {control.summary}"
    yield f"  {load_guide().guidance[control.id]}"
    yield f"stands: {found.standing}: {found.why} ({found.in_date} of {found.expected} in date)"
    yield from _needs(judged, control, unfilled, found.verdicts)
    yield from _people(control)
    yield from _elsewhere(judged, control)
    if judged.moment.size is not None:
        yield judged.moment.sentence(judged.digest)


def _needs(
    judged: Judged, control: Control, unfilled: Mapping[NeedOf, str], verdicts: Sequence[Verdict]
) -> Iterator[str]:
    mapping = judged.moment.mapping
    for want in mapping.catalogue.expectations(mapping.overrides):
        if want.control != control.id:
            continue
        yield _asked(want)
        yield f"  {counts_for(want, judged.at)}"
        yield from of_others(want, judged.at)
        if why := unfilled.get((want.control, want.evidence)):
            yield f"  nothing can fill it: {why}"
        for verdict in verdicts:
            if verdict.evidence == want.evidence:
                yield _verdict(verdict)
    for change in judged.overrides:
        if change.control == control.id:
            yield f"override of {change.evidence}: {change.told}"


def _asked(want: Expectation) -> str:
    whose = "each AI system" if want.scope is Scope.SYSTEM else "the organisation"
    return f"needs {want.evidence} of {whose}: {want.collect}"


def counts_for(want: Expectation, at: datetime) -> str:
    """How long one such item counts, what ends it sooner, and why."""
    ends = [f"for {_length(want.max_age)}"] if want.max_age is not None else []
    if want.deadline is not None:
        ends += [f"until it is due again by {want.deadline.told(due)}"
                 for due in want.deadline.after(at, 1)]  # fmt: skip
    after = f", or until {' or '.join(want.stale_on)}" if want.stale_on else ""
    return f"counts {' and '.join(ends)}{after}: {want.why}"


def _length(age: Span) -> str:
    if isinstance(age, Duration):
        return f"{age.months} months" + (f" and {_length(age.rest)}" if age.rest else "")
    return f"{age.days} days" if age >= timedelta(days=2) else f"{age / timedelta(hours=1):g} hours"


def of_others(want: Expectation, at: datetime) -> Iterator[str]:
    """What is asked of some systems instead."""
    for one in want.special:
        whose = one.system or f"systems of risk class {one.risk_class}"
        said = "not asked" if one.expectation is None else counts_for(one.expectation, at)
        yield f"  of {whose}: {said}"


def _verdict(verdict: Verdict) -> str:
    state = "failed" if verdict.failed else verdict.state
    about = verdict.system or "organisation"
    return f"  {state:<10}{verdict.evidence} · {about}: {verdict.why}"


def _people(control: Control) -> Iterator[str]:
    guide = load_guide()
    if control.attestation_max_age:
        again = _length(control.attestation_max_age)
        yield f"a person signs, again within {again}: {control.attestation_needed}"
    else:
        yield f"no signature is needed: {control.attestation_note}"
    for document in control.documented_information:
        yield f"documented information to {document.kind}: {document.what}"
    if control.documentation_demanded:
        yield "documented information: the control asks for it wherever it applies"
    for record in guide.records_of(control.id):
        for part in record.parts:
            yield f"{record.name}, {part.title}: {'; '.join(part.points)}"
    if sought := guide.sought(control):
        yield f"auditors look for: {sought}"


def _elsewhere(judged: Judged, control: Control) -> Iterator[str]:
    frameworks = judged.moment.mapping.frameworks
    for deadline in load_law().deadlines_of(control.id):
        if framework := frameworks.get(deadline.framework):
            yield f"tell {told(deadline, framework)}"
    for line in spoken_to(judged, control.id):
        yield f"  speaks to {line}"
    for line in gaps_of(judged, control.id):
        yield f"  {line}"
