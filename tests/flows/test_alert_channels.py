"""Each kind of channel against a real receiver: what arrives, what counts as taken, what shows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest

from evidence.errors import ConfigError
from evidence.secret import Secret
from flows._alerts.channel import Channel, Desk
from flows._alerts.chat import Slack, Teams
from flows._alerts.jira import Jira
from flows._alerts.letter import Mail, is_address
from flows._alerts.pager import PagerDuty
from flows._alerts.ticket import Call, Ticket
from flows._alerts.webhook import Webhook
from flows._alerts.words import Answer, Cause, Message, Notice, What
from tests.flows.receiver import Receiver, Say, SmallJira, listening
from tests.storage.smtp import Mailbox, serve

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
KEY = "T0PSECRET-wEbH00kPart"
HOSTILE = (
    "<!channel> <https://evil.example|click> & **bold** [x](http://evil.example) @everyone "
    "```\n{noformat}\r\nBcc: all@example.org\r\n.\r\n\u202egnp.exe {{DATE(2026-01-01)}} ${x} "
    '"},{"a":"b <script>alert(1)</script>'
)
DESK = Desk("Example\r\nSubject: forged", "https://board.example.org")


@pytest.fixture(scope="module")
def shared() -> Iterator[Receiver]:
    with listening(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def receiver(shared: Receiver) -> Receiver:
    shared.got.clear()
    shared.script.clear()
    shared.usual = Say()
    return shared


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with serve() as box:
        yield box


def notice(what: What = What.NEW, key: str = "a", severity: str = "failed") -> Notice:
    cause = Cause(key, severity, f"{HOSTILE}", "Mend it.", ("iso42001:A.6.2.4",), "credit",
                  "tickets", ("Ada\r\nBrandt",), "i1")  # fmt: skip
    ended = NOW if what.over else None
    return Notice(what, cause, NOW - timedelta(hours=3), ended, "all is well" if ended else "")


def message(*notices: Notice, **given: Any) -> Message:
    return Message("line", notices or (notice(),), thread="thr3ad", **given)


OVER = message(notice(What.OVER))


def slack(at: Receiver, **given: Any) -> Slack:
    return Slack(name="s", url=Secret(f"{at.url}/services/{KEY}"), **given)


def teams(at: Receiver) -> Teams:
    return Teams(name="t", url=Secret(f"{at.url}/workflows/{KEY}?sig={KEY}"))


def webhook(at: Receiver, secret: str = "whsec_" + base64.b64encode(b"k" * 32).decode()) -> Webhook:
    return Webhook(name="w", url=Secret(f"{at.url}/in/{KEY}"), secret=Secret(secret))


def pager(at: Receiver) -> PagerDuty:
    return PagerDuty(name="p", key=Secret(KEY), url=f"{at.url}/v2/enqueue")


def jira(at: Receiver, **given: Any) -> Jira:
    values = {"deployment": "cloud", "email": "e@example.org"} | given
    return Jira(name="j", url=at.url, project="GOV", token=Secret(KEY), **values)


def ticket(at: Receiver, **given: Any) -> Ticket:
    values = {
        "open": Call("/issues", {"title": "{title}", "body": ["{text}"], "n": 1}),
        "close": Call("/issues/{ref}", {"state": "closed"}, "PATCH"),
        "ref": "issue.number",
        "headers": {"Authorization": Secret(f"Bearer {KEY}")},
    }
    return Ticket(name="k", url=at.url, **(values | given))


def send(channel: Channel, told: Message | None = None, desk: Desk = DESK) -> Answer:
    return channel.send(told or message(), desk, NOW)


def test_slack_gets_plain_text_that_calls_nobody(receiver: Receiver) -> None:
    assert send(slack(receiver)) == Answer(True, "HTTP 200")
    body = receiver.got[0].json
    assert "<" not in body["text"]
    texts = [block["text"] for block in body["blocks"]]
    assert {text["type"] for text in texts} == {"plain_text"}
    assert all(len(text["text"]) < 3000 and "\n" not in text["text"] for text in texts)
    assert len(texts[0]["text"]) <= 150
    assert "<!channel>" in texts[1]["text"]  # as it stands: plain text is not interpreted
    assert "Owner: Ada Brandt." in texts[1]["text"]


def test_teams_gets_text_runs_which_know_no_markdown(receiver: Receiver) -> None:
    receiver.usual = Say(202, b"")
    assert send(teams(receiver)).taken
    card = receiver.got[0].json["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert "{{" not in json.dumps(card["body"], ensure_ascii=False).replace("[{", "")


@pytest.mark.parametrize(
    ("make", "said", "taken"),
    [
        (slack, Say(200, b"no_service"), False),
        (slack, Say(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}), False),
        (slack, Say(302, b"", {"Location": "https://elsewhere.example/login"}), False),
        (slack, Say(404, b"channel_not_found"), False),
        (slack, Say(410, b"channel_is_archived"), False),
        (teams, Say(200, b"1"), True),
        (teams, Say(200, b"Webhook message delivery failed with error: too large"), False),
        (teams, Say(200, b"<html>proxy</html>"), False),
        (webhook, Say(204, b""), True),
        (webhook, Say(201, b'{"id": 7}'), True),
        (webhook, Say(200, b"<!doctype html>"), False),
        (pager, Say(202, b'{"status": "success"}'), True),
        (pager, Say(200, b'{"status": "throttled"}'), False),
        (pager, Say(200, b"\xff\x00garbage"), False),
        (pager, Say(400, b'{"status": "invalid event"}'), False),
        (ticket, Say(200, b'{"errors": [{"message": "archived"}], "data": null}'), False),
        (ticket, Say(200, b'{"error": "no such project", "number": 3}'), False),
        (ticket, Say(201, b'{"issue": {"id": 3}, "errors": []}'), True),
    ],
    ids=lambda value: getattr(value, "__name__", None) or (
        f"{value.status}-{value.body[:9]!r}" if isinstance(value, Say) else str(value)
    ),
)  # fmt: skip
def test_only_a_good_answer_counts_as_taken(
    receiver: Receiver, make: Any, said: Say, taken: bool
) -> None:
    receiver.usual = said
    answer = send(make(receiver))
    assert answer.taken is taken
    assert KEY not in answer.told


@pytest.mark.parametrize("make", [slack, teams, webhook, pager, jira, ticket])
def test_no_answer_and_no_error_shows_the_key(receiver: Receiver, make: Any) -> None:
    receiver.usual = Say(400, f"bad {KEY} services/{KEY}".encode())
    channel = make(receiver)
    assert KEY not in f"{send(channel)} {channel!r} {channel.where()}"
    gone = make(replace(receiver, url="http://127.0.0.1:9"))
    answer = replace_patience(gone).send(message(), DESK, NOW)
    assert not answer.taken
    assert KEY not in answer.told


def replace_patience(channel: Channel) -> Channel:
    return replace(channel, patience=0.5)  # type: ignore[call-arg]


def test_busy_is_asked_again_and_a_long_wait_is_for_the_next_run(receiver: Receiver) -> None:
    receiver.script.extend([Say(503), Say(429, b"", {"Retry-After": "0"})])
    assert send(slack(receiver)).taken
    receiver.script.extend([Say(429, b"", {"Retry-After": "900"})])
    answer = send(slack(receiver))
    assert (answer.taken, answer.wait) == (False, timedelta(seconds=900))
    assert len(receiver.got) == 4
    receiver.script.extend([Say(429, b"", {"Retry-After": "999999"})])
    assert send(slack(receiver)).wait == timedelta(hours=6)


def test_a_receiver_that_says_nothing_is_left(receiver: Receiver) -> None:
    receiver.script.extend([Say(delay=0.3)] * 3)
    answer = send(slack(receiver, patience=0.1))
    assert not answer.taken
    assert "no whole answer" in answer.told


def test_a_key_does_not_travel_in_the_clear() -> None:
    answer = send(Slack(name="s", url=Secret(f"http://chat.example.org/{KEY}")))
    assert "in the clear: use https" in answer.told


def test_a_webhook_is_signed_as_the_standard_has_it(receiver: Receiver) -> None:
    channel = webhook(receiver)
    assert send(channel).taken
    assert channel.send(message(), DESK, NOW + timedelta(minutes=20)).taken
    one, two = receiver.got
    assert one.headers["webhook-id"] == two.headers["webhook-id"]
    for got in (one, two):
        told = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode()
        code = hmac.new(b"k" * 32, told + got.body, hashlib.sha256).digest()
        assert got.headers["webhook-signature"] == f"v1,{base64.b64encode(code).decode()}"
    assert one.headers["webhook-signature"] != two.headers["webhook-signature"]
    assert one.json["notices"][0]["what"] == "new"
    assert one.json["id"] == one.headers["webhook-id"]


def test_the_signature_is_that_of_the_published_example() -> None:
    from flows._alerts.webhook import signature

    secret = Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["short", "whsec_!!!", "whsec_c2hvcnQ="])
def test_a_weak_signing_secret_is_refused(receiver: Receiver, secret: str) -> None:
    with pytest.raises(ConfigError, match="alert w: secret"):
        webhook(receiver, secret)


def test_an_incident_is_resolved_under_the_key_that_triggered_it(receiver: Receiver) -> None:
    receiver.usual = Say(202, b'{"status": "success"}')
    assert send(pager(receiver)).taken
    assert send(pager(receiver), OVER).taken
    opened, closed = (got.json for got in receiver.got)
    assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
    assert opened["dedup_key"] == closed["dedup_key"] == "headwater-thr3ad"
    assert opened["payload"]["severity"] == "critical"
    assert len(opened["payload"]["summary"]) <= 1024


def test_mail_is_one_plain_text_whose_headers_nobody_forges(mailbox: Mailbox) -> None:
    desk = replace(DESK, mail=mailbox.server())
    assert send(Mail(name="m", to="gov@example.org"), desk=desk).taken
    assert send(Mail(name="m", to="gov@example.org"), desk=desk).taken
    one, two = (message_from_bytes(raw, policy=default) for raw in mailbox.messages)
    assert set(mailbox.recipients) == {"<gov@example.org>"}
    assert one.get_all("Bcc") is None
    assert len(one.get_all("Subject") or []) == 1
    assert one.get_content_type() == "text/plain"
    assert "<script>alert(1)</script>" in one.get_content().replace("\n", " ")
    assert one["Message-ID"] == two["Message-ID"]
    assert one["Auto-Submitted"] == "auto-generated"


def test_a_dot_alone_does_not_end_a_mail(mailbox: Mailbox) -> None:
    mailbox.messages.clear()
    told = replace(message(), title=".\r\n.\r\nRCPT TO:<all@example.org>")
    desk = replace(DESK, mail=mailbox.server(), organisation=".")
    assert send(Mail(name="m", to="gov@example.org"), told, desk).taken
    assert len(mailbox.messages) == 1
    assert b"people judge what it means" in mailbox.messages[0]


def test_mail_that_is_refused_is_not_taken(mailbox: Mailbox) -> None:
    mailbox.refuse = b"550 no such user\r\n"
    try:
        answer = send(
            Mail(name="m", to="gov@example.org"), desk=replace(DESK, mail=mailbox.server())
        )
    finally:
        mailbox.refuse = b""
    assert not answer.taken
    assert "no such user" in answer.told


@pytest.mark.parametrize(
    "text", ["", "a", "a@b@c", "a@b, c@d", "A <a@b>", "a@b\r\nBcc: c@d", "ä@b", "a@-b", "a b@c"]
)
def test_what_is_no_plain_address(text: str) -> None:
    assert not is_address(text)
    with pytest.raises(ConfigError, match="alert m"):
        Mail(name="m", to=text)


@pytest.mark.parametrize("deployment", ["cloud", "data_center"])
def test_a_jira_issue_is_made_once_and_closed(deployment: str) -> None:
    with listening(SmallJira()) as at:
        assert isinstance(at, SmallJira)
        channel = jira(at, deployment=deployment)
        assert send(channel) == Answer(True, "GOV-1 created", "GOV-1")
        assert send(channel) == Answer(True, "GOV-1 was told", "GOV-1")  # a run died in between
        fields = at.issues["GOV-1"]
        assert fields["labels"] == ["headwater", "headwater-thr3ad"]
        assert "\n" not in fields["summary"]
        _has_no_markup(fields["description"], deployment)
        assert send(channel, replace(OVER, ref="GOV-1")) == Answer(True, "GOV-1 closed", "GOV-1")
        assert fields["status"]["name"] == "Done"
        assert send(channel, replace(OVER, ref="GOV-1")).told == "somebody closed GOV-1 before"
        assert send(channel, OVER) == Answer(True, "no open issue of it")
        assert send(channel, replace(OVER, ref="GOV-9")).told == "GOV-9 is not there any more"


def _has_no_markup(description: Any, deployment: str) -> None:
    if deployment == "cloud":
        kinds = {node["type"] for part in description["content"] for node in part["content"]}
        assert kinds == {"text"}
    else:
        assert description.count("{noformat}") == 2
        assert description.startswith("{noformat}")
        assert description.endswith("{noformat}")


def test_a_jira_that_cannot_close_says_so() -> None:
    with listening(SmallJira()) as at:
        assert isinstance(at, SmallJira)
        assert send(jira(at)).taken
        answer = send(jira(at, done="Archived"), replace(OVER, ref="GOV-1"))
        assert (answer.taken, "no transition to Archived" in answer.told) == (False, True)
        at.script.append(Say(200, b'{"issues": [{"key": "../../admin"}]}'))
        assert send(jira(at)).ref == "GOV-2"  # what names no issue is not put into an address


def test_a_ticket_is_opened_and_closed_by_configuration(receiver: Receiver) -> None:
    receiver.usual = Say(201, b'{"issue": {"number": 12}}')
    opened = send(ticket(receiver))
    assert opened == Answer(True, "ticket 12 opened", "12")
    assert send(ticket(receiver), replace(message(), ref="12")).told == "ticket 12 is open"
    assert send(ticket(receiver), replace(OVER, ref="12/../9")).taken
    one, two = receiver.got
    assert one.json["n"] == 1
    (text,) = one.json["body"]
    assert text.count("```") == 2
    assert set(one.json) == {"title", "body", "n"}
    assert (two.method, two.path) == ("PATCH", "/issues/12%2F..%2F9")
    assert two.headers["Authorization"] == f"Bearer {KEY}"


def test_a_ticket_whose_name_is_not_told_is_not_opened_again_and_again(receiver: Receiver) -> None:
    receiver.usual = Say(200, b"{}")
    answer = send(ticket(receiver))
    assert answer.taken
    assert "close it by hand" in answer.told
    receiver.script.extend([Say(503)] * 3)
    assert not send(ticket(receiver)).taken
    assert len(receiver.got) == 2  # opening is not tried again within a run


def test_calls_that_close_nothing_are_refused(receiver: Receiver) -> None:
    with pytest.raises(ConfigError, match="alert k: close"):
        ticket(receiver, close=Call("/issues", {"state": "closed"}))
    with pytest.raises(ConfigError, match="must begin with /"):
        Call("http://elsewhere.example", {})
