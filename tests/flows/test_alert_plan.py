"""Who is told of what, when: pure functions, over days that pass in an instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence.errors import ConfigError, LakeError
from evidence.secret import Secret
from flows._alerts.channel import Channel
from flows._alerts.chat import Slack
from flows._alerts.deliver import looked
from flows._alerts.letter import Mail
from flows._alerts.memory import Hush, Memory, Taken, read, written
from flows._alerts.pager import PagerDuty
from flows._alerts.plan import HOUR, Plan
from flows._alerts.progress import answered, begun, released
from flows._alerts.settings import recipients
from flows._alerts.text import paragraph
from flows._alerts.words import Answer, Cause, Message, Seen, What

MINUTE = timedelta(minutes=1)
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday
URL = Secret("http://127.0.0.1/x")


def chat(name: str = "chat", **given: object) -> Slack:
    return Slack(name=name, url=URL, **given)  # type: ignore[arg-type]


def pager(name: str = "pager", **given: object) -> PagerDuty:
    return PagerDuty(name=name, key=Secret("k"), **given)  # type: ignore[arg-type]


def cause(key: str, severity: str = "failed", **more: object) -> Cause:
    return Cause(key, severity, f"{key} is {severity}", **more)  # type: ignore[arg-type]


@dataclass
class Town:
    """Channels whose receivers take everything, or nothing; and a clock."""

    channels: tuple[Channel, ...]
    settle: timedelta = timedelta(hours=1)
    now: datetime = START
    memory: Memory = field(default_factory=Memory)
    deaf: set[str] = field(default_factory=set)
    people: Mapping[str, str] = field(default_factory=dict)
    heard: list[tuple[datetime, Message]] = field(default_factory=list)
    plan: Plan = field(default_factory=lambda: Plan(()))

    def look(self, *causes: Cause, blind: tuple[str, ...] = (), dies: bool = False) -> list[str]:
        """What is heard after one look, as `line what key`; then ten minutes pass."""
        to = recipients(self.channels, self.people)
        seen = Seen(causes, frozenset(blind))
        memory, self.plan = looked(self.memory, seen, to, self.settle, self.now)
        memory = begun(memory, self.plan.messages, "us", self.now + 15 * MINUTE, self.now)
        self.memory = read(written(memory))  # as it would come back from the lake
        heard = [] if dies else self._send()
        self.now += 10 * MINUTE
        return heard

    def _send(self) -> list[str]:
        told = []
        for message in self.plan.messages:
            taken = message.line not in self.deaf
            self.memory = answered(self.memory, message, Answer(taken, "heard", "T-1"), self.now)
            if taken:
                self.heard.append((self.now, message))
                told += [f"{message.line} {n.what} {n.cause.key}" for n in message.all]
        self.memory = released(self.memory, "us")
        return told


def test_a_cause_is_told_once_and_its_end_once_it_lasts() -> None:
    town = Town((chat(),))
    bad = cause("a")
    assert town.look(bad) == ["chat new a"]
    assert town.look(bad) == []
    quiet = [town.look() for _ in range(6)]
    assert quiet == [[]] * 6
    assert town.look() == ["chat over a"]
    assert town.look() == []
    assert town.memory.causes == {}


def test_what_comes_and_goes_is_one_cause_that_counts() -> None:
    town = Town((chat(),))
    heard = [town.look(*([cause("a")] if n % 2 else [])) for n in range(1, 13)]
    assert heard == [["chat new a"]] + [[]] * 11
    assert town.memory.causes["a"].flaps == 5


def test_worse_another_and_reminders() -> None:
    town = Town((chat(repeat=timedelta(hours=2)),))
    assert town.look(cause("a", "stale")) == ["chat new a"]
    assert town.look(cause("a", about="i1")) == ["chat worse a"]
    assert town.look(cause("a", "stale")) == []
    assert town.look(cause("a", about="i1")) == []
    assert town.look(cause("a", about="i2")) == []  # within the hour that things settle in
    town.now += HOUR
    assert town.look(cause("a", about="i2")) == ["chat again a"]
    town.now += 2 * HOUR
    assert town.look(cause("a", about="i2")) == ["chat reminder a"]


def test_what_presses_more_at_the_same_severity_is_told_at_each_step_and_never_less() -> None:
    town = Town((chat(),))
    heard = [town.look(cause("a", "law", step=step)) for step in (0, 0, 1, 1, 3, 2, 3, 4)]
    assert heard == [["chat new a"], [], ["chat worse a"], [], ["chat worse a"], [], [],
                     ["chat worse a"]]  # fmt: skip
    town = Town((chat(),))
    assert town.look(cause("a", "law", step=1)) == ["chat new a"]
    taken(town, "a", 5)
    assert town.look(cause("a", "law", step=1)) == []
    assert town.look(cause("a", "law", step=2)) == ["chat worse a"]


def test_a_message_has_its_id_again_only_if_it_was_not_taken() -> None:
    town = Town((chat(repeat=HOUR),))
    for _ in range(4):
        town.look(cause("a"))
        town.now += HOUR
    ids = [message.id for _, message in town.heard]
    assert len(ids) == len(set(ids)) == 4
    town.deaf = {"chat"}
    tried = []
    for _ in range(3):
        town.look(cause("a"))
        town.now += HOUR
        tried += [message.id for message in town.plan.messages]
    assert len(tried) == 3
    assert len(set(tried)) == 1


def test_a_later_channel_is_the_escalation_of_the_first_and_hears_the_end_if_it_heard() -> None:
    town = Town((chat(), pager(after=timedelta(hours=1))))
    long, short = cause("long"), cause("short")
    assert town.look(long, short) == ["chat new long", "chat new short"]
    for _ in range(5):
        assert town.look(long) == []
    assert town.look(long) == ["pager new long"]
    ends = [word for _ in range(9) for word in town.look()]
    assert sorted(ends) == ["chat over long", "chat over short", "pager over long"]


def test_what_mostly_ends_by_itself_is_told_once_it_lasts() -> None:
    town = Town((chat(),))
    busy = cause("a", "source", brief=True)
    assert [town.look(busy) for _ in range(6)] == [[]] * 6
    assert town.look(busy) == ["chat new a"]
    assert town.look(replace(busy, key="b")) == []
    assert [town.look() for _ in range(5)] == [[]] * 5
    assert [town.look(), town.look()] == [["chat over a"], []]


def test_who_wants_what() -> None:
    one = chat("one", systems=("credit-*",), severities=("failed",))
    two = chat("two", owners=("Ada *",), severities=("failed", "stale"))
    town = Town((one, two))
    heard = town.look(
        cause("a", system="credit-scoring"), cause("b", "stale", owners=("Ada Brandt",)),
        cause("c", system="churn", owners=("Lena Holm",)),
    )  # fmt: skip
    assert heard == ["one new a", "two new b"]


def test_what_is_only_due_now_is_over_for_who_wants_failures() -> None:
    town = Town((chat(severities=("failed",)),))
    assert town.look(cause("a")) == ["chat new a"]
    assert [town.look(cause("a", "due")) for _ in range(6)] == [[]] * 6
    assert town.look(cause("a", "due")) == ["chat over a"]
    (told,) = town.heard[-1][1].notices
    assert (told.cause.severity, told.cause.sentence) == ("failed", "a is failed")
    assert told.now == "due: a is due"
    assert town.look(cause("a")) == ["chat new a"]


def test_what_was_milder_for_long_may_be_worse_again() -> None:
    town = Town((chat(),))
    town.look(cause("a"))
    assert [town.look(cause("a", "stale")) for _ in range(8)] == [[]] * 8
    assert town.look(cause("a")) == ["chat worse a"]


def test_quiet_hours_hold_and_lose_nothing() -> None:
    town = Town((chat(quiet=("22:00-07:00", "Sat", "Sun"), zone="Europe/Berlin",
                      through=("failed",)),))  # fmt: skip
    town.now = datetime(2026, 11, 27, 22, 30, tzinfo=UTC)  # Friday night there
    assert town.look(cause("loud"), cause("stays", "stale"), cause("goes", "stale")) == [
        "chat new loud"
    ]
    assert {w.notice.cause.key for w in town.plan.waiting} == {"stays", "goes"}
    assert all("quiet hours" in w.why for w in town.plan.waiting)
    town.now = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
    assert town.look(cause("loud"), cause("stays", "stale")) == []
    town.now = datetime(2026, 11, 30, 5, 50, tzinfo=UTC)  # ten to seven there
    assert town.look(cause("loud"), cause("stays", "stale")) == []
    assert town.look(cause("loud"), cause("stays", "stale")) == [
        "chat new stays", "chat came and went goes",
    ]  # fmt: skip


def test_nobody_is_paged_for_what_came_and_went_in_quiet_hours() -> None:
    town = Town((pager(quiet=("22:00-07:00",)),))
    town.now = START.replace(hour=23)
    assert town.look(cause("a")) == []
    town.now = START + timedelta(days=1)
    assert [town.look() for _ in range(9)] == [[]] * 9
    assert town.memory.causes == {}


def test_a_hush_holds_what_it_covers_until_it_ends() -> None:
    town = Town((chat(),))
    hush = Hush("move", "Ada Brandt", "database moves", START + HOUR, source="tickets")
    town.memory = replace(town.memory, hushes={"move": hush})
    covered, other = cause("a", "source", source="tickets"), cause("b")
    assert town.look(covered, other) == ["chat new b"]
    assert "hushed by Ada Brandt" in town.plan.waiting[0].why
    town.now = START + HOUR
    assert town.look(covered, other) == ["chat new a"]
    assert town.memory.hushes == {}


def test_a_flood_is_one_message_in_a_chat_and_few_on_a_pager() -> None:
    town = Town((chat(most=3), pager(most=3)))
    flood = [cause(f"c{n:02}", "failed" if n == 20 else "stale") for n in range(30)]
    assert len(town.look(*flood)) == 60
    one, *pages = (message for _, message in town.heard)
    assert (len(one.notices), len(one.more)) == (3, 27)
    assert one.notices[0].cause.key == "c20"  # the worst first
    assert [len(message.all) for message in pages] == [1, 1, 28]
    assert town.look(*flood, cause("late")) == ["chat new late"]
    assert [w.why for w in town.plan.waiting][-1] == "most = 3 messages an hour"
    town.now += HOUR
    assert town.look(*flood, cause("late")) == ["pager new late"]


def test_what_was_summed_up_is_closed_once_all_of_it_is_over() -> None:
    town = Town((pager(most=1),))
    town.look(cause("a"), cause("b"))
    ((_, summed),) = town.heard
    for _ in range(8):
        assert town.look(cause("b")) == []
    ends = [word for _ in range(8) for word in town.look()]
    assert ends == ["pager over a", "pager over b"]
    assert town.heard[-1][1].thread == summed.thread
    assert town.heard[-1][1].ref == "T-1"


def test_what_nobody_can_see_is_neither_told_nor_over() -> None:
    town = Town((chat(),))
    assert town.look(cause("a")) == ["chat new a"]
    for _ in range(20):
        assert town.look(blind=("a",)) == []
    assert town.look(cause("a")) == []
    assert [word for _ in range(8) for word in town.look()] == ["chat over a"]


def test_a_channel_that_takes_nothing_is_asked_again_later_and_misses_nothing() -> None:
    town = Town((chat(),), deaf={"chat"})
    for _ in range(12):
        assert town.look(cause("a")) == []
    line = town.memory.line("chat")
    assert (line.failing, line.error) == (START, "heard")
    assert 3 <= line.tries <= 6  # it backs off
    town.deaf.clear()
    town.now += HOUR
    assert town.look(cause("a")) == ["chat new a"]
    assert town.memory.line("chat").failing is None


def test_a_run_that_died_while_it_sent_is_made_up_for() -> None:
    town = Town((chat(), pager()))
    assert town.look(cause("a"), dies=True) == []
    before = {message.line: message.id for message in town.plan.messages}
    assert town.look(cause("a")) == []  # somebody may still be sending
    assert {w.why for w in town.plan.waiting} == {"us is sending on it"}
    assert town.look(cause("a")) == ["chat new a", "pager new a"]
    assert {message.line: message.id for message in town.plan.messages} == before


def test_who_may_have_heard_hears_the_end() -> None:
    town = Town((pager(),))
    town.look(cause("a"), dies=True)
    assert [word for _ in range(9) for word in town.look()] == ["pager over a"]


def test_each_owner_gets_a_digest_of_their_own() -> None:
    mail = Mail(name="owners", to="owners", unowned="gov@example.org", digest="0 8 * * 1",
                zone="Europe/Berlin", severities=("failed", "due"))  # fmt: skip
    people = {"Ada": "ada@example.org", "Lena": "lena@example.org", "Bad": "x@y\r\nBcc: z@y"}
    town = Town((mail,), people=people)
    open_ = (cause("a", owners=("Ada",)), cause("b", "due", owners=("Ada", "Max")),
             cause("c", owners=("Bad",)))  # fmt: skip
    assert town.look(*open_) == []  # the next Monday is a week away
    town.now = datetime(2026, 11, 30, 6, 55, tzinfo=UTC)
    assert town.look(*open_) == []
    assert town.look(*open_) == ["owners/Ada open a", "owners/Ada open b", "owners open c"]
    assert town.look(*open_) == []
    town.now += timedelta(days=7)
    assert town.look() == []  # an owner of nothing is left alone, the organisation is not
    assert [message.line for _, message in town.heard][-1] == "owners"


def test_a_missed_digest_is_sent_once() -> None:
    town = Town((chat(digest="0 * * * *"),), deaf={"chat"})
    for _ in range(20):
        town.look(cause("a"))
    town.deaf.clear()
    town.now += HOUR
    heard = [word for _ in range(4) for word in town.look(cause("a"))]
    assert heard == ["chat open a"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"severities": ("bad",)}, "'bad' is none of law, failed"),
        ({"zone": "Europe/Nowhere"}, "zone 'Europe/Nowhere' is none"),
        ({"quiet": ("22-7",)}, "quiet '22-7' is neither"),
        ({"digest": "0 8 * *"}, "'0 8 * *' is not a cron line"),
        ({"digest": "0 8 31 2 *"}, "a time that ever comes"),
        ({"most": 0}, "most must be 1"),
    ],
    ids=["severity", "zone", "quiet", "fields", "never", "most"],
)  # fmt: skip
def test_wrong_settings_are_named(given: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=f"alert chat: .*{told.replace('*', '[*]')}"):
        chat(**given)


def test_a_memory_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(LakeError, match="cannot be read"):
        read("{")
    with pytest.raises(LakeError, match="upgrade"):
        read('{"form": "headwater.alerts/2"}')


def _shares(memory: Memory, line: str, key: str, open_: frozenset[str]) -> bool:
    """Was it told together with something that is open still?"""
    threads = {k: one.told[line].thread for k, one in memory.causes.items() if line in one.told}
    if key not in threads or memory.causes[key].told[line].at is None:  # begun, and never taken
        return False
    return any(threads[k] == threads[key] for k in open_)


STEPS = st.lists(
    st.tuples(
        st.frozensets(st.sampled_from("abcdef")),
        st.sampled_from(["", "", "", "deaf", "dies"]),
        st.sampled_from([1, 1, 1, 7]),
    ),
    min_size=1,
    max_size=20,
)


_QUIET: tuple[frozenset[str], str, int] = (frozenset(), "", 1)


@settings(max_examples=30)
@given(STEPS)
@example(
    [
        (frozenset("ab"), "", 1),
        (frozenset(), "", 7),
        *[_QUIET] * 6,
        (frozenset("abc"), "deaf", 1),
        (frozenset("c"), "", 1),
    ]
)  # told together again by a message that nobody took
def test_whatever_happens_nothing_is_lost_and_nobody_is_flooded(
    steps: list[tuple[frozenset[str], str, int]],
) -> None:
    town = Town((chat(), pager(most=2)))
    for keys, trouble, pace in steps:
        town.deaf = {"chat", "pager"} if trouble == "deaf" else set()
        town.look(*(cause(key) for key in sorted(keys)), dies=trouble == "dies")
        town.now += (pace - 1) * 10 * MINUTE
    town.deaf.clear()
    last = steps[-1][0]
    for _ in range(9):  # long enough for claims, rests and the hours of the pager
        town.look(*(cause(key) for key in sorted(last)))
        town.now += 50 * MINUTE
    words: dict[tuple[str, str], list[What]] = defaultdict(list)
    for _, message in town.heard:
        for notice in message.all:
            words[message.line, notice.cause.key].append(notice.what)
    calm = not any(trouble for _, trouble, _ in steps)
    for line in ("chat", "pager"):
        for key in "abcdef":
            told = words[line, key]
            if key in last:
                assert told[-1] is What.NEW
            elif _shares(town.memory, line, key, last):
                assert told[-1:] in ([], [What.NEW])  # closed once all of its thread is over
            else:
                assert told[-1:] in ([], [What.OVER])
            assert not calm or all(one != two for one, two in pairwise(told))
    rings = [at for at, m in town.heard if m.line == "pager" and not m.over]
    assert all(sum(at <= one < at + HOUR for one in rings) <= 2 for at in rings)


def taken(town: Town, key: str, hours: float) -> None:
    one = town.memory.causes[key]
    hand = Taken("Ada Brandt", "on it", town.now + hours * HOUR, one.cause.severity, one.cause.step)
    town.memory = replace(town.memory, causes={**town.memory.causes, key: replace(one, taken=hand)})


def test_what_somebody_has_in_hand_is_escalated_once_their_time_is_over() -> None:
    boss = chat("boss", after=2 * HOUR)
    town = Town((chat(repeat=HOUR), boss))
    assert town.look(cause("a", "stale")) == ["chat new a"]
    taken(town, "a", 5)
    heard = [town.look(cause("a", "stale")) for _ in range(30)]
    assert heard == [[]] * 30
    assert town.look(cause("a", "stale")) == ["chat reminder a", "boss new a"]
    told = town.heard[-1][1].notices[0]
    assert "Ada Brandt has it until 2026-11-23 14:10 UTC: on it." in paragraph(told)


def test_what_gets_worse_than_it_was_taken_is_told_all() -> None:
    town = Town((chat(), chat("boss", after=2 * HOUR)))
    town.look(cause("a", "stale"))
    taken(town, "a", 24)
    town.now += 3 * HOUR
    assert town.look(cause("a", "stale")) == []
    assert town.look(cause("a")) == ["chat worse a", "boss new a"]


def test_what_is_over_is_told_though_somebody_has_it_and_comes_back_as_new() -> None:
    town = Town((chat(),))
    town.look(cause("a"))
    taken(town, "a", 24)
    town.look()
    town.now += HOUR
    assert town.look() == ["chat over a"]
    town.look()
    assert town.look(cause("a")) == ["chat new a"]
    assert town.memory.causes["a"].taken is None
