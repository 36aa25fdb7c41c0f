"""Sources are pulled side by side, as many as may, and at one host one after the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from evidence.errors import ConfigError
from flows.config import Config, load, now
from flows.run import collect_direct
from flows.together import together
from flows.turns import Turns
from tests.flows.conftest import Home, numbers

SITES = ("https://one.example", "https://two.example/api", "https://THREE.example:8443")
HOLD = """
import sys, time
from pathlib import Path
from flows.turns import Turns
with Turns(Path(sys.argv[1]), 1, {}).turn(["one.example"]):
    print("held", flush=True)
    time.sleep(600)
"""


def meeting(name: str, url: str, folder: Path, others: int) -> str:
    folder.mkdir(exist_ok=True)
    return numbers(
        name, uses="tests.flows.sources:Meeting", url=url, folder=str(folder), others=others
    )


def test_sources_of_different_hosts_are_pulled_at_once(home: Home, tmp_path: Path) -> None:
    """Each of them waits until all are there."""
    all_of_them = [meeting(f"n{n}", url, tmp_path / "in", 3) for n, url in enumerate(SITES)]
    assert collect_direct(load(home(*all_of_them, extra="[collect]\nat_once = 3\n"))) == 0


def taken_in_turn(config: Config) -> dict[str, object]:
    """What each source of the configuration brings, all of them asked together."""
    sources = {source.name: source for source in config.sources}

    def ask(name: str) -> int:
        with Turns.of(config).turn(sources[name].hosts):
            return len(list(sources[name].collector(now).collect(None)))

    return dict(together(list(sources), ask))


@pytest.mark.parametrize(
    ("urls", "extra"),
    [((SITES[0],) * 3, "at_once = 3"), (SITES, "at_once = 1"), (("",) * 3, "at_once = 3")],
    ids=["one host", "one at once", "no address"],
)
def test_where_only_one_may_they_come_one_after_the_other(
    home: Home, tmp_path: Path, urls: tuple[str, ...], extra: str
) -> None:
    alone = [meeting(f"n{n}", url, tmp_path / "in", 0) for n, url in enumerate(urls)]
    config = load(home(*alone, extra=f"[collect]\n{extra}\n"))
    assert taken_in_turn(config) == {"n0": 3, "n1": 3, "n2": 3}


def test_a_host_may_be_asked_by_more_where_the_configuration_says_so(
    home: Home, tmp_path: Path
) -> None:
    both = [meeting(f"n{n}", SITES[0], tmp_path / "in", 2) for n in range(2)]
    config = load(home(*both, extra='[collect]\nhosts = { "One.Example" = 2 }\n'))
    assert taken_in_turn(config) == {"n0": 3, "n1": 3}


def test_what_has_no_address_is_named_by_its_class(home: Home, tmp_path: Path) -> None:
    both = [meeting(f"n{n}", "", tmp_path / "in", 2) for n in range(2)]
    named = '[collect]\nhosts = { "tests.flows.sources:Meeting" = 2 }\n'
    assert taken_in_turn(load(home(*both, extra=named))) == {"n0": 3, "n1": 3}


def test_whoever_waits_for_a_host_keeps_nobody_from_another(tmp_path: Path) -> None:
    turns, waited = Turns(tmp_path, 2, {}), list[str]()
    with turns.turn(["a"]):

        def second(name: str) -> None:
            with Turns(tmp_path, 2, {}, sleep=lambda _: stop(name)).turn(["a"], waited.append):
                pytest.fail("a host of one was given twice")

        def stop(name: str) -> None:
            with turns.turn(["b"]):
                raise KeyError(name)

        ended = together(["x"], second)
    assert isinstance(ended["x"], KeyError), "it got a turn at b while x waited for a"
    assert waited == ["a"]
    with turns.turn(["a"]):
        pass


def test_a_process_that_dies_gives_its_turn_back(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], cwd=root, stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(root)},
    )  # fmt: skip
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        waited = list[str]()

        def told(host: str) -> None:
            waited.append(host)
            holder.send_signal(signal.SIGKILL)

        with Turns(tmp_path, 1, {}).turn(["one.example"], told):
            assert waited == ["one.example"]


def test_one_that_fails_holds_nobody_back_and_the_order_is_that_of_the_names() -> None:
    def work(name: str) -> str:
        if name == "b":
            raise SystemExit(name)
        return name

    ended = together(["c", "b", "a"], work)
    assert list(ended) == ["c", "b", "a"]
    assert (ended["c"], ended["a"], type(ended["b"])) == ("c", "a", SystemExit)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("at_once = 0", "at_once must be 1 at least"),
        ('hosts = { "a.example" = 0 }', "hosts: a.example must be 1 at least"),
        ('time_limit = "PT0S"', "longer than nothing"),
        ('time_limit = "soon"', "time_limit"),
    ],
)
def test_limits_that_are_none_are_refused(home: Home, extra: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(home(numbers("n"), extra=f"[collect]\n{extra}\n"))


def test_a_source_may_have_a_time_limit_of_its_own(home: Home) -> None:
    config = home(
        numbers("slow", time_limit="PT6H"), numbers("n"), extra='[collect]\ntime_limit = "PT5M"\n'
    )
    assert [s.time_limit.total_seconds() for s in load(config).sources] == [21_600, 300]
