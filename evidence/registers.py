"""What each register in git is for and which fields its records have.

The collector tells a field that does not hold what stands here, the JSON Schemas for editors are
made from it, and `evidence/consistency.py` follows what one register names in another. What a
record must show is asked by ISO/IEC 42001 (the clauses that the shipped rules name for each).
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from evidence.fields import Field, Form, Register

_SYSTEMS, _RISKS, _ROLES = ("ai_systems",), ("risks",), ("roles",)
_SUPPLIERS = ("suppliers",)


def _person(name: str, what: str) -> Field:
    return Field(name, what, Form.PERSON)


def _day(name: str, what: str) -> Field:
    return Field(name, what, Form.DAY)


def _list(name: str, what: str, *names: str) -> Field:
    return Field(name, what, Form.LIST, names=names)


def _word(name: str, what: str, words: str) -> Field:
    return Field(name, what, Form.WORD, words=tuple(words.split(", ")))


_SEVERITIES = (
    "critical, major, serious, minor, severity-1, severity-2, severity-3, severity-4, "
    "sev-1, sev-2, sev-3, sev-4"
)
_OWNER, _DUE = _person("owner", "who answers for it"), _day("due", "by when")
_TITLE = Field("title", "in a few words")
_NAME = Field("name", "what people call it")
_STATUS = Field("status", "where it stands: open, done …")
_CONTROLS = _list("controls", "clauses and controls by number, or what they are part of")
_EVIDENCE = _list("evidence", "items by their id, or its first 8 signs or more")

REGISTERS: tuple[Register, ...] = (
    Register("ai_systems", "Every AI system that is built, bought or used", (
        _NAME, _OWNER,
        Field("role", "provider, developer, deployer, user … of the organisation for it"),
        Field("purpose", "what it decides or helps to decide, and about whom"),
        Field("risk_class", "the class of your own method"),
        Field("stage", "of its life: idea, design, development, pilot, production, retired …"),
        _list("production", "where it runs for real: endpoints, products, places"),
        Field("in_use_since", "a day, or planned", Form.DAY, words=("planned",)),
        Field("model", "the model behind it, by its name in the model registry"),
        _list("models", "several of them"),
        Field("supplier", "who supplies it or its model", names=_SUPPLIERS),
        _list("suppliers", "several of them", "suppliers"),
        _list("data", "data sets it learns from or reads", "data"),
    ), ("ai_inventory",)),
    Register("risks", "Risks of AI, each with its owner and what is left of it", (
        _TITLE, Field("likelihood", "of your own scale"), Field("impact", "of your own scale"),
        Field("rating", "of your own scale"),
        _word("treatment", "what is decided", "avoid, reduce, share, accept"),
        Field("plan", "by what it is treated"), _OWNER,
        Field("residual", "what is left of it once treated"),
        Field("accepted_residual", "how much of that was accepted, on the same scale"),
        _person("accepted_by", "who accepts what is left: neither its owner nor its author"),
        _day("accepted", "when that was"), _day("accepted_until", "when it is decided anew"),
        _list("controls", "controls that treat it, by number"),
        _list("obligations", "duties it is about", "obligations"),
    ), ("risk_register",)),
    Register("treatment_plan", "What is done about risks, by whom and by when", (
        Field("risk", "the risk that it treats", names=_RISKS), Field("action", "what is done"),
        _OWNER, _DUE, _STATUS, _day("done", "when it was"),
    ), ("risk_treatment",)),
    Register("impact_assessments", "What each AI system does to people and society", (
        _TITLE, Field("people_affected", "who, and how many"),
        Field("groups", "groups that it may treat differently, or that need protection"),
        Field("society", "what it does to society and the environment"),
        Field("effects", "good and bad, also of wrong or unfair results"),
        Field("measures", "what is done about the bad ones"),
        Field("decision", "may it be used, and under which conditions"),
        _person("assessor", "who assessed it"), _person("decided_by", "who decided"),
        _day("next_review", "by when it is assessed anew"),
    )),
    Register("objectives", "Objectives for AI, each with the measure that shows it", (
        _TITLE, Field("measure", "what is measured, and how"), Field("target", "what to reach"),
        Field("latest", "the latest value"), _day("measured", "when that was"), _OWNER, _DUE,
        _list("metrics", "measures of the register of metrics", "metrics"),
    )),
    Register("metrics", "Measures of the management system, with their values", (
        _TITLE, Field("method", "how it is measured"), Field("unit", "of the value"),
        Field("target", "which value is good"), Field("latest", "the latest value"),
        _day("measured", "when that was"), _OWNER,
    ), ("metrics_report",)),
    Register("roles", "Who answers for what", (
        _NAME, Field("role", "what people call it"), _person("person", "who has the role"),
        Field("mail", "where alerts reach that person"),
        Field("login", "of that person at the code host, for approvals there"),
        Field("account", "the number of that person at the code host, which no renaming changes"),
        Field("duties", "what this person decides and reports"),
        _person("deputy", "who stands in"), _day("since", "the first day"),
        _day("left", "the last day; the record stays"),
    ), ("roles_register",)),
    Register("competence", "What people in a role must know, and what shows that they do", (
        _person("person", "who"), Field("role", "in which role", names=_ROLES),
        Field("competence", "what is needed"),
        Field("evidence", "what shows it: a degree, years, work that was checked"),
        Field("gap", "what lacks, and what is done about it"),
        _day("until", "when it is looked at again"),
    ), ("competence_record",)),
    Register("training", "Who finished which training when", (
        _person("person", "who"), Field("course", "what was taught"),
        _day("finished", "when it was finished"), _day("completed", "the same"),
        _DUE, _day("until", "when it has to be repeated"),
    ), ("training_record",)),
    Register("soa", "Statement of Applicability: every control with a decision and its reason", (
        _TITLE, Field("applicable", "whether it applies", Form.DECISION),
        Field("reason", "why it is in, or left out"),
        _word("implemented", "how far", "yes, partly, no, planned"), _OWNER,
        _list("risks", "risks that it treats", "risks"),
        Field("note", "where it is done, what is still open"),
    ), ("statement_of_applicability",)),
    Register("suppliers", "Who supplies models, data or AI services, and who does what", (
        _NAME, Field("supplies", "what, for which AI systems"), Field("service", "the same"),
        _list("systems", "AI systems that depend on it", "ai_systems"),
        _word("criticality", "how much depends on it", "low, medium, high"),
        Field("critical", "whether work stops without it", Form.FLAG),
        Field("their_duties", "what the supplier answers for"),
        Field("our_duties", "what stays with you"), Field("contract", "where it lies"),
        Field("ai_terms", "what it says of AI: notice of changes, data, audit"),
        _day("contract_until", "how long it runs"), _OWNER,
        Field("models", "each model with the version that was looked at last", Form.MODELS),
        _day("model_changed", "when it last changed a model"),
        _day("last_review", "when the supplier was last looked at"),
        _day("next_review", "by when again"),
    ), ("supplier_register",)),
    Register("customers", "Who is supplied with AI systems or their results, and who does what", (
        _NAME, _list("systems", "AI systems that it gets", "ai_systems"),
        Field("expects", "what it expects of their responsible use"),
        Field("their_duties", "what the customer answers for"),
        Field("our_duties", "what stays with you"), Field("contract", "where it lies"),
        Field("told", "what it was told: purpose, limits, oversight"), _OWNER,
        _day("last_review", "when that was last looked at"),
    ), ("customer_register",)),
    Register("incidents", "What went wrong with an AI system, and what became of it", (
        _TITLE, _word("severity", "how grave", _SEVERITIES), _day("happened", "when"),
        _day("became_aware", "when you came to know of it, with its hour"),
        _list("kind", "of which kind law may ask to be told: docs/law.md lists them; or none"),
        Field("affected", "who, and how many"),
        Field("told", "whom, when and by which item: to, at, evidence", Form.ENTRIES),
        Field("not_told", "whom not, by whose decision and why: to, by, why", Form.ENTRIES),
        Field("ticket", "the same incident in a tracker"),
        Field("cause", "why it happened"), Field("action", "what was done"), _OWNER, _STATUS,
        _list("changes", "changes that followed", "changes"),
        _list("corrective_actions", "actions that followed", "corrective_actions"),
        _list("risks", "risks that it showed", "risks"), _day("closed", "when it was"),
    ), ("incident_register",)),
    Register("concerns", "What people inside or outside reported, without their names", (
        _TITLE, _day("received", "when"), Field("channel", "by which way it came"),
        Field("confidential", "whether the reporter is protected", Form.FLAG),
        Field("outcome", "what became of it"), _OWNER, _STATUS, _day("closed", "when it was"),
    ), ("concern_register",)),
    Register("changes", "Changes of AI systems and of the management system", (
        _TITLE, Field("why", "what it is for"),
        _list("versions", "model versions that it brings, as name/version"),
        Field("requested_by", "who asked for it", Form.PERSON),
        Field("approved_by", "who approved it: somebody else", Form.PERSON),
        _day("approved", "when, before it was made"), _day("made", "when it was"),
        Field("assessed", "what was assessed anew: risks, impact"), _OWNER, _STATUS,
        _list("incidents", "incidents that it answers", "incidents"),
    ), ("change_register",)),
    Register("obligations", "Duties of law and contract, with the days that they set", (
        _TITLE, Field("source", "the law or contract, and its article"),
        Field("framework", "its id in Headwater, such as eu-ai-act-2024-1689"),
        Field("reports_to", "who is told"), _day("applies_from", "from when it binds"), _DUE,
        _day("done", "when it was met"), _STATUS, _OWNER,
        _list("systems", "AI systems that it binds", "ai_systems"), _CONTROLS,
    ), ("obligations_register",)),
    Register("audits", "Internal audits, planned and performed", (
        _TITLE, _person("auditor", "who does not answer for what is audited"), _CONTROLS,
        _day("planned", "for when"), _day("performed", "when it was"), _EVIDENCE,
    ), ("audit_programme",)),
    Register("findings", "What audits found", (
        _TITLE, Field("audit", "which one found it", names=("audits", "certification")),
        _word("grade", "how grave", "major, minor, observation, opportunity"), _CONTROLS, _OWNER,
        _DUE, _day("closed", "when it was"), _EVIDENCE,
    ), ("audit_findings",)),
    Register("corrective_actions", "What went wrong, why, what was done, whether it helped", (
        _TITLE, Field("finding", "of an audit", names=("findings",)),
        Field("incident", "that it follows", names=("incidents",)),
        Field("found", "when and by what"), Field("cause", "why it happened"),
        Field("action", "what is done about the cause"), _OWNER, _DUE,
        _day("done", "when it was"), Field("effective", "how it was seen that it helped"),
        _EVIDENCE,
    ), ("nonconformities", "capa_ticket")),
    Register("certification", "Looks of the certification body", (
        _word("stage", "of the cycle", "stage 1, stage 2, surveillance, recertification"),
        Field("body", "who certifies"), _day("planned", "for when"),
        _day("performed", "when it was"), _EVIDENCE,
    ), ("certification_audits",)),
    Register("management_reviews", "Reviews by top management, planned and held", (
        _TITLE, _day("planned", "for when"), _day("held", "when it was"),
        _person("chair", "who led it"), _list("participants", "who took part"),
        Field("minutes", "the document, by its path"), _EVIDENCE,
        _list("decisions", "what was decided", "decisions"),
    )),
    Register("decisions", "What management reviews decided", (
        _TITLE, Field("review", "which one", names=("management_reviews",)), _OWNER, _DUE,
        _day("done", "when it was"),
    ), ("review_decisions",)),
    Register("documents", "Documents kept elsewhere, with the day of their next review", (
        _TITLE, Field("doc_type", "policy, procedure, plan …"), Field("place", "where it lies"),
        Field("version", "the one in force"), _OWNER, _person("approver", "who approved it"),
        _day("next_review", "by when it is read again"),
    ), ("document_register",)),
    Register("requests", "What an auditor asked for", (
        Field("text", "what is asked"), _person("asked_by", "who asks"), _OWNER, _DUE,
        _word("state", "where it stands", "open, answered, accepted, returned, withdrawn"),
        Field("question", "a saved question that answers it"),
        Field("with", "values of the question", Form.MAPPING),
        Field("sample", "control, seed, frequency: in place of a question", Form.MAPPING),
        _EVIDENCE,
    ), ("request_list", "pbc")),
    Register("context", "What inside and outside bears on AI in the organisation", (
        _TITLE, Field("issue", "what it is"), _word("kind", "where it is", "internal, external"),
        Field("effect", "what it does to the management system"), _OWNER,
        _list("risks", "risks that follow", "risks"),
    ), ("context_register",)),
    Register("interested_parties", "Who has a stake, what they need, how it is met", (
        _NAME, Field("needs", "what they need or expect"), Field("met_by", "by what"), _OWNER,
        _list("obligations", "duties that follow", "obligations"),
    )),
    Register("communication", "What is told when, to whom, how and by whom", (
        Field("topic", "what is told"), Field("when", "at which time or event"),
        Field("audience", "to whom"), Field("channel", "how"), _OWNER,
    ), ("comms_matrix",)),
    Register("data", "Data sets with owner, licence, lawful basis and known bias", (
        _NAME, _OWNER, Field("origin", "where it comes from"), Field("licence", "to use it"),
        Field("lawful_basis", "for personal data, else none"), Field("use", "what it may serve"),
        Field("known_bias", "whom it shows wrongly or not at all"), _day("keep_until", "how long"),
        Field("supplier", "who supplies it", names=_SUPPLIERS),
        _list("systems", "AI systems that read it", "ai_systems"),
    ), ("datasets", "data_register")),
    Register("resources", "What each AI system rests on: data, tools, computing, people", (
        _NAME, _word("kind", "of the resource", "data, tooling, computing, people"),
        Field("what", "it is"), _OWNER,
    ), ("resource_register",)),
    Register("improvements", "Ideas to improve, and what became of them", (
        _TITLE, Field("from", "where it comes from"), Field("decision", "taken or not, and why"),
        _OWNER, _DUE, _day("done", "when it was"), Field("outcome", "what it brought"),
    ), ("improvement_log",)),
    Register("access_reviews", "Who may read and change AI data and systems, looked at again", (
        Field("scope", "which access was looked at"), _person("reviewer", "who looked"),
        _day("performed", "when"), Field("kept", "how many stay", Form.NUMBER),
        Field("removed", "how many went", Form.NUMBER),
    ), ("access_review",)),
    Register("population", "What else must be there", (
        Field("kind", "a kind of item"), Field("subject", "a glob over names"),
        Field("source", "a glob over sources"), Field("least", "how many at least", Form.NUMBER),
    ), ("expected_population",)),
    Register("waivers", "Who answers for what a control lacks, until when", (
        Field("control", "its number, in quotes"), _OWNER, Field("reason", "why it may wait"),
        _day("at", "from when"), _day("until", "up to, not including"),
        Field("evidence", "of one kind only"), Field("withdrawn", "when it was taken back"),
    ), ("waiver",)),
    Register("attestations", "What people sign for", (
        Field("control", "its number, in quotes"), _person("by", "who signs"),
        Field("statement", "what is stated"), _day("at", "when"), _day("until", "up to"),
        _day("withdrawn", "when it was taken back"),
    ), ("attestation",)),
    Register("approvals", "Which texts people approved", (
        Field("of", "a document by its path, or a record as REGISTER/ID"),
        _person("by", "who approved it"), _day("at", "when"),
        Field("sha256", "of the text: `headwater documents approve` writes it"),
        _day("withdrawn", "when it was taken back"),
    )),
    Register("rewrites", "Who answers for a history that was rewritten", (
        _person("by", "who answers"), Field("why", "it was done"),
    ), ("history_rewrites",)),
)  # fmt: skip

_ALIKE = 0.88
"""Of ten letters one may be another."""
_CALLED = {name: one for one in REGISTERS for name in (one.name, *one.also)}


def register_called(name: str) -> Register | None:
    """What the register of that name holds; None for one that Headwater does not know."""
    return _CALLED.get(name)


def register_meant(name: str) -> str:
    """The known name that an unknown one may have been meant for, such as `incidents` of
    `Incident`; empty if there is none."""
    if name in _CALLED:
        return ""
    plain = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    return next(iter(get_close_matches(plain, _CALLED, n=1, cutoff=_ALIKE)), "")
