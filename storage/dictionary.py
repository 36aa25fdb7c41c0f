"""The data dictionary: what each column of the views, and of what is given beside them, means, and
a question that shows each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from storage.given import GIVEN, given_table
from storage.schema import TABLES
from storage.views import VIEWS, connect_files

_ITEM = {
    "form": "which version of the item's form it was landed in",
    "item_id": "the item's id: SHA-256 over what it says",
    "source": "the source in headwater.toml that it came from; headwater for its own acts",
    "kind": "what sort of fact it is, such as jira.issue",
    "nature": "event (it happened) or state (so it stood)",
    "system": "the AI system that it is about; empty: the organisation",
    "subject": "the source's own key of the thing",
    "title": "the thing in a few words, as the source has them",
    "observed_from": "from when the fact is about",
    "observed_to": "until when the fact is about; evidence ages from here",
    "collected_at": "when it was pulled from the source",
    "landed_at": "when it became durable in the lake",
    "change": "new, changed, gone or restored, beside what had landed before",
    "outcome": "passed, failed, error or recorded (the fact says neither)",
    "actor": "who did it, as the source names them",
    "locator": "where it is found at the source",
    "payload": "what the source said, as canonical JSON text: payload->>'$.key' reads it",
    "content_sha256": "SHA-256 over the payload",
    "pull_id": "the attempt that brought it: see pulls",
    "month": "the month of observed_to in UTC",
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "evidence": _ITEM,
    "latest": _ITEM,
    "corrections": {
        "correction": "the item that says it",
        "item_id": "the item that it is about",
        "wrong": "in what the item is wrong: outcome, system, subject, duplicate, mistake",
        "holds": "what holds instead, as far as it was said",
        "reason": "why",
        "corrected_by": "who says so",
        "corrected_at": "when it landed",
        "account": "the account of the operating system that it was said under",
        "state": "in force, overriding (confirmed), withdrawal asked, withdrawn",
        "confirmed_by": "who confirmed it",
        "confirmed_why": "why",
        "confirmed_at": "when that landed",
        "confirmed_account": "under which account",
        "withdrawn_by": "who withdrew it",
        "withdrawn_why": "why",
        "withdrawn_at": "when that landed",
        "withdrawal": "the item that says so",
    },
    "suggestions": {
        "proposal": "the item that proposes it",
        "item_id": "the item that it is about",
        "control": "the control that the model proposes",
        "evidence": "the kind of evidence that it would be",
        "score": "how near the model finds them, from 0 to 1",
        "threshold": "what the score had to reach",
        "said": "the words of the item that the model looked at",
        "asked": "the words of the control",
        "model": "which model",
        "model_digest": "SHA-256 of the model",
        "prompt_digest": "SHA-256 of what it was asked",
        "proposed_at": "when it landed",
        "state": "open, accepted, confirmed (by a second person) or rejected",
        "becomes": "what the acceptance made of it: a tag or a rule",
        "rule": "the rule that it became",
        "decision": "the item that decides",
        "decided_by": "who decided",
        "decided_why": "why",
        "decided_at": "when that landed",
        "confirmed_by": "who confirmed it",
        "confirmed_at": "when that landed",
    },
    "drafts": {
        "draft": "the item that drafts it, or says that nothing could be",
        "task": "summary, answer (to a request) or section (of a document)",
        "about": "what it is about",
        "state": "open, accepted, rejected or abstained",
        "outdated": "whether an item that it rests on was replaced, went, was corrected or "
        "disposed of since",
        "why": "why nothing was drafted, where it abstained",
        "text": "the draft as Markdown",
        "text_sha256": "SHA-256 of the text",
        "model": "which model; none: code alone",
        "model_digest": "SHA-256 of what is known of the model",
        "prompt_digest": "SHA-256 of all that it was given",
        "cited": "the items that its sentences rest on",
        "sentences": "how many sentences it has",
        "unwritten": "how many were left out, for the items do not bear them out",
        "drafted_at": "when it landed",
        "decision": "the item that decides",
        "decided_by": "who decided",
        "decided_why": "why",
        "decided_at": "when that landed",
    },
    "tags": {
        "item_id": "the item",
        "control": "the control that it speaks to; event:… makes older evidence stale",
        "evidence": "as which kind of evidence",
        "rule": "the rule that says so",
        "strength": "how strongly, as the rule says",
        "rationale": "why, in the rule's words",
        "mapping_digest": "the digest of the rules in force",
        "tagged_at": "when it was tagged",
    },
    "context": {
        "item_id": "the item",
        "declaration": "which declaration of the rule files says that it speaks to no control",
        "rationale": "why, in the declaration's words",
    },
    "pulls": {
        "pull_id": "the attempt",
        "source": "the source that was asked",
        "collector": "the class that asked, with its module",
        "started_at": "when it began",
        "finished_at": "when it ended",
        "outcome": "complete, partial, busy, refused or broken; only complete refreshes anything",
        "query": "what was asked",
        "window_from": "from when",
        "window_to": "until when",
        "pages": "how many answers came",
        "received": "how many rows came",
        "promised": "how many the source said there were; null: it does not say",
        "items": "how many were new",
        "error": "what went wrong",
        "gaps": "what could not be examined, as a JSON list",
        "identity": "as whom it was asked",
        "api_version": "the version that answered",
        "code_version": "the version of Headwater that asked",
        "raw_sha256": "SHA-256 of the raw answers, as JSON",
        "states": "kinds that were listed whole, so that their absence shows",
        "backfill": "whether a past window was asked for by hand",
        "totals": "control totals: asked in two ways and compared, as JSON",
        "settings": "the settings of the source, without secrets, as JSON",
        "hidden": "how many values were redacted, by name, as JSON",
        "redaction": "the digest of the rules of redaction",
        "cursor_before": "the bookmark from which",
        "cursor_after": "the bookmark to which",
        "landed_at": "when the record landed",
        "item_id": "the item that is the record",
    },
    "verdicts": {
        "control": "the control",
        "evidence": "the kind of evidence that it asks for",
        "system": "the AI system; empty: the organisation",
        "state": "fresh, due, stale, recovered or unknown",
        "failed": "whether the newest evidence says that it failed",
        "why": "one sentence",
        "fresh_until": "until when it is in date",
        "newest": "from when the newest evidence is",
        "item_id": "that evidence",
        "source": "where it came from",
        "count": "how many items count",
        "judged_at": "when it was judged",
    },
    "standings": {
        "control": "the control",
        "standing": "proved, attested, failed, stale, missing, needs judgement, waived, "
        "not applicable",
        "why": "one sentence",
        "in_date": "how many expectations are met and in date",
        "expected": "of how many",
        "due": "how many of them soon are not",
        "judged_at": "when it was judged",
    },
    "leaves": {
        "leaf_index": "its place in the ledger, from 0",
        "item_id": "the item",
        "leaf_hash": "RFC 6962 hash of the row",
        "evidence_version": "the version of the evidence table that brought it",
    },
    "controls": {
        "control": "its id, such as iso42001:A.6.2.4",
        "number": "its number, such as A.6.2.4",
        "title": "its short title",
        "group_title": "the title of the group that it is in",
    },
    "broken_edges": {
        "edge": "how it is broken, such as deployed-before-approval: docs/trace.md tells each",
        "system": "the AI system whose life it is; empty: of none, or not known which",
        "stage": "the stage of what it begins at",
        "about": "the name of what it begins at",
        "missing": "the stage that lacks, comes too late or does not hold",
        "why": "one sentence",
        "item_ids": "the items that it rests on",
    },
}
"""View, or relation given beside the views → column → what it means."""


@dataclass(frozen=True, slots=True)
class ViewDoc:
    """A view with its columns, each with its type and meaning, and one question over it."""

    name: str
    shows: str
    columns: tuple[tuple[str, str, str], ...]
    example: str


@cache
def dictionary() -> tuple[ViewDoc, ...]:
    """Every view, and what is given beside them, with the types that the engine itself gives their
    columns."""
    beside = {name: given_table(name, []) for name in GIVEN}
    with connect_files({name: [] for name in TABLES}, dimensions=beside) as connection:
        return tuple(
            ViewDoc(
                view, shows,
                tuple(
                    (name, _TYPES.get(type_, type_), COLUMNS[view][name])
                    for name, type_, *_ in connection.execute(f"DESCRIBE {view}").fetchall()
                ),
                _EXAMPLES[view],
            )
            for view, (shows, _) in {**VIEWS, **GIVEN}.items()
        )  # fmt: skip


_TYPES = {
    "VARCHAR": "text", "TIMESTAMP WITH TIME ZONE": "time", "BIGINT": "number", "DOUBLE": "number",
    "BOOLEAN": "true or false", "VARCHAR[]": "texts",
}  # fmt: skip
_EXAMPLES = {
    "evidence": "SELECT landed_at, source, kind, title FROM evidence ORDER BY landed_at DESC",
    "corrections": "SELECT item_id, wrong, holds, corrected_by, state FROM corrections",
    "suggestions": "SELECT item_id, control, score, state, decided_by FROM suggestions",
    "drafts": "SELECT draft, about, state, outdated, model, decided_by FROM drafts",
    "latest": "SELECT subject, outcome, observed_to FROM latest WHERE outcome = 'failed'",
    "tags": "SELECT control, count(*) AS items FROM tags GROUP BY control ORDER BY control",
    "context": "SELECT declaration, count(*) AS items FROM context GROUP BY declaration",
    "pulls": "SELECT source, outcome, max(finished_at) AS last FROM pulls GROUP BY ALL",
    "verdicts": "SELECT control, evidence, system, state, why FROM verdicts WHERE state = 'stale'",
    "standings": "SELECT control, standing, in_date, expected FROM standings ORDER BY control",
    "controls": "SELECT control, title FROM controls ORDER BY control",
    "broken_edges": "SELECT edge, system, why FROM broken_edges ORDER BY system, edge, about",
    "leaves": "SELECT count(*) AS sealed, max(leaf_index) AS last FROM leaves",
}
