"""The Merkle log, its signed notes and its proofs, against published vectors and each other."""

from __future__ import annotations

import base64
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence.errors import LakeError, VerificationFailed
from storage import growth, ledger, merkle
from storage.checkpoints import history_name, history_sizes, read_checkpoint
from storage.keys import Signer, load_key, make_key
from storage.leaves import leaf_hashes
from storage.ledger import integrate
from storage.merkle import Edge
from storage.note import LogChain, VerifierKey, open_note
from storage.proof import check_consistency, check_inclusion, consistency_proof, inclusion_proof
from tests.storage.makers import World, item

ORIGIN = "brookside.example/evidence"

# The test data of the Certificate Transparency reference implementation.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
          "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [merkle.leaf_hash(bytes.fromhex(text)) for text in INPUTS]


def _plain_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else merkle.EMPTY
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(_plain_root(leaves[:split]), _plain_root(leaves[split:]))


def test_the_published_roots() -> None:
    assert merkle.root_of([]).hex() == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
    assert [merkle.root_of(LEAVES[: n + 1]).hex() for n in range(8)] == ROOTS


def _leaves(size: int) -> list[bytes]:
    return [merkle.leaf_hash(str(n).encode()) for n in range(size)]


def _roots(leaves: list[bytes]) -> merkle.Roots:
    return lambda first, last: _plain_root(leaves[first:last])


@given(st.integers(0, 70), st.integers(0, 70))
def test_the_edge_grows_to_the_same_root(first: int, more: int) -> None:
    leaves = _leaves(first + more)
    edge = Edge().extend(leaves[:first]).extend(leaves[first:])
    assert edge.root() == _plain_root(leaves)
    assert Edge(edge.size, edge.hashes) == edge


def test_an_edge_of_the_wrong_length_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="whole subtrees"):
        Edge(3, (b"x",))


@given(st.integers(1, 70), st.data())
def test_inclusion(size: int, data: st.DataObject) -> None:
    leaves = _leaves(size)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(_roots(leaves), index, size)
    root = merkle.root_of(leaves)
    assert merkle.root_from_inclusion(leaves[index], index, size, path) == root
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index)) if size > 1 else None
    if other is not None:
        assert _inclusion(leaves[other], index, size, path) != root
        assert _inclusion(leaves[index], other, size, path) != root
        assert _inclusion(leaves[index], index, size, path[:-1]) != root
    assert _inclusion(leaves[index], index, size, (*path, root)) != root


def _inclusion(leaf: bytes, index: int, size: int, path: tuple[bytes, ...]) -> bytes | None:
    try:
        return merkle.root_from_inclusion(leaf, index, size, path)
    except ValueError:
        return None


@given(st.integers(1, 70), st.data())
def test_consistency(size: int, data: st.DataObject) -> None:
    leaves = _leaves(size)
    old = data.draw(st.integers(1, size))
    path = merkle.consistency_path(_roots(leaves), old, size)
    roots = merkle.root_of(leaves[:old]), merkle.root_of(leaves)
    assert merkle.roots_from_consistency(old, size, roots[0], path) == roots
    forked = [*leaves[: old - 1], b"f" * 32, *leaves[old:]]
    fork = merkle.root_of(forked)
    assert merkle.roots_from_consistency(old, size, roots[0], path)[1] != fork
    with pytest.raises(ValueError, match=r"long|length"):
        merkle.roots_from_consistency(old, size, roots[0], (*path, b"x" * 32))


# The example of the signed-note specification (c2sp.org/signed-note and Go's note package).
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZ"
    "b6KE6RyyBwJnAM=\n"
)
NOTE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_the_published_note_is_signed_and_a_changed_one_is_not() -> None:
    key = VerifierKey.parse(NOTE_KEY)
    assert str(key) == NOTE_KEY
    with pytest.raises(VerificationFailed, match="is no checkpoint"):
        open_note(NOTE, key, what="it")
    with pytest.raises(VerificationFailed, match="does not hold"):
        open_note(NOTE.replace("your", "our", 1), key, what="it")


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "key", origin=ORIGIN)
    return load_key(tmp_path / "key", origin=ORIGIN)


def test_a_key_is_kept_private_and_once(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "lake.key"
    vkey = make_key(path, origin=ORIGIN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.with_name("lake.key.pub").read_text().strip() == vkey == load_key(path).vkey
    assert path.read_text().split("+", 4)[4].strip() not in repr(load_key(path))
    with pytest.raises(LakeError, match="already"):
        make_key(path, origin=ORIGIN)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    make_key(tmp_path / "key", origin=ORIGIN)
    os.chmod(tmp_path / "key", mode)
    with pytest.raises(LakeError, match="chmod 600"):
        load_key(tmp_path / "key")


def test_false_keys_are_refused_without_being_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    with pytest.raises(LakeError, match="headwater init"):
        load_key(path)
    make_key(path, origin=ORIGIN)
    with pytest.raises(LakeError, match="another"):
        load_key(path, origin="another")
    text = path.read_text()
    path.write_text(text.replace("+", "-", 1))
    with pytest.raises(LakeError, match="no signing key") as refused:
        load_key(path)
    assert text.strip().split("+", 4)[4] not in str(refused.value)
    for origin in ("two words", "a+b", ""):
        with pytest.raises(LakeError, match="one word"):
            make_key(tmp_path / "other", origin=origin)


@pytest.mark.parametrize("vkey", ["", "a+b", "x+00000000+AAAA", NOTE_KEY.replace("c7", "c8")])
def test_false_vkeys_are_refused(vkey: str) -> None:
    with pytest.raises(LakeError, match="verifier key"):
        VerifierKey.parse(vkey)


def test_a_checkpoint_is_what_was_signed(signer: Signer) -> None:
    root = merkle.root_of(LEAVES)
    head = signer.sign(8, root, LogChain(4, b"c" * 32))
    lines = [ORIGIN, "8", base64.b64encode(root).decode(), f"evidence 4 {'63' * 32}", "", ""]
    assert head.text.startswith("\n".join(lines))
    assert open_note(head.text, signer.verifier, what="it") == head
    with pytest.raises(VerificationFailed, match="does not hold"):
        open_note(head.text.replace("\n8\n", "\n7\n"), signer.verifier, what="it")
    with pytest.raises(VerificationFailed, match="not signed by"):
        open_note(head.text, VerifierKey(ORIGIN, b"\x00" * 32), what="it")
    with pytest.raises(VerificationFailed, match="no signed note"):
        open_note("", signer.verifier, what="it")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "lake")


def test_everything_landed_is_sealed_in_order(world: World, signer: Signer) -> None:
    assert integrate(world.lake, signer).size == 0
    world.land(*(item(n) for n in (30, 1, 2)), cursor="1")
    first = integrate(world.lake, signer)
    assert integrate(world.lake, signer) == first
    world.land(item(3), cursor="2")
    world.land(cursor="3")
    second = integrate(world.lake, signer)
    assert (first.size, second.size) == (3, 4)
    assert read_checkpoint(world.lake) == second
    assert history_sizes(world.lake.place) == [0, 3, 4]
    check_consistency(first, second, consistency_proof(world.lake, 3))


def test_many_steps_make_the_same_log(
    world: World, signer: Signer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(7):
        world.land(item(number), item(number + 50), cursor=str(number))
    whole = integrate(world.lake, signer)
    hashes = leaf_hashes(world.lake.table("leaves"), 0, 14)
    assert _plain_root([hashes[at : at + 32] for at in range(0, 14 * 32, 32)]) == whole.root
    monkeypatch.setattr(growth, "_STEP_LEAVES", 3)
    other = World(tmp_path / "other")
    for number in range(7):
        other.land(item(number), item(number + 50), cursor=str(number))
    assert integrate(other.lake, signer).root == whole.root
    assert other.lake.table("leaves").version > 2


def test_a_proof_is_checked_without_the_lake(world: World, signer: Signer) -> None:
    items = [item(n) for n in range(9)]
    world.land(*items, cursor="1")
    integrate(world.lake, signer)
    for one in items:
        proof = inclusion_proof(world.lake, one.item_id)
        assert check_inclusion(proof, signer.vkey, payload=one.content).size == 9
        assert json.loads(proof.data)["subject"] == one.subject
    proof = inclusion_proof(world.lake, items[2].item_id)
    with pytest.raises(VerificationFailed, match="another payload"):
        check_inclusion(proof, signer.vkey, payload=b"{}")
    with pytest.raises(VerificationFailed, match="is not leaf"):
        check_inclusion(replace(proof, index=3), signer.vkey)
    with pytest.raises(VerificationFailed, match="is not leaf"):
        check_inclusion(replace(proof, data=proof.data.replace(b"AI-2", b"AI-9")), signer.vkey)
    with pytest.raises(VerificationFailed, match="malformed"):
        check_inclusion(replace(proof, path=proof.path[1:]), signer.vkey)


def test_no_proof_for_what_is_not_sealed(world: World, signer: Signer) -> None:
    world.land(item(1), cursor="1")
    with pytest.raises(LakeError, match="no checkpoint yet"):
        inclusion_proof(world.lake, item(1).item_id)
    integrate(world.lake, signer)
    with pytest.raises(LakeError, match="no leaf"):
        inclusion_proof(world.lake, item(2).item_id)


def test_a_crash_before_the_checkpoint_is_caught_up(
    world: World, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.land(item(1), cursor="1")
    integrate(world.lake, signer)
    world.land(item(2), cursor="2")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "keep_checkpoint", crash)
        with pytest.raises(KeyboardInterrupt):
            integrate(world.lake, signer)
    assert read_checkpoint(world.lake).size == 1
    assert integrate(world.lake, signer).size == 2


def test_the_witness_gets_every_checkpoint(world: World, signer: Signer, tmp_path: Path) -> None:
    witness = tmp_path / "elsewhere" / "witness"
    world.land(item(1), cursor="1")
    head = integrate(world.lake, signer, witness=witness)
    assert witness.read_text() == head.text


def test_nothing_is_signed_over_a_set_back_lake(
    world: World, signer: Signer, tmp_path: Path
) -> None:
    witness = tmp_path / "witness"
    world.land(item(1), item(2), cursor="1")
    integrate(world.lake, signer, witness=witness)
    fresh = World(tmp_path / "fresh")
    fresh.land(item(1), cursor="1")
    with pytest.raises(VerificationFailed, match="cut"):
        integrate(fresh.lake, signer, witness=witness)
    fresh.land(item(5), item(6), cursor="2")
    integrate(fresh.lake, signer)
    with pytest.raises(VerificationFailed, match="rewritten"):
        integrate(fresh.lake, signer, witness=witness)
    assert read_checkpoint(fresh.lake).size == 3


def test_nothing_is_signed_over_a_removed_checkpoint(world: World, signer: Signer) -> None:
    world.land(item(1), cursor="1")
    integrate(world.lake, signer)
    (world.path / "log/checkpoint").unlink()
    kept = world.path / history_name(1)
    kept.write_text(signer.sign(1, b"x" * 32, LogChain()).text)
    with pytest.raises(VerificationFailed, match="rewritten"):
        integrate(world.lake, signer)


def test_another_key_does_not_continue_the_log(
    world: World, signer: Signer, tmp_path: Path
) -> None:
    world.land(item(1), cursor="1")
    integrate(world.lake, signer)
    make_key(tmp_path / "other", origin=ORIGIN)
    with pytest.raises(VerificationFailed, match="not signed by"):
        integrate(world.lake, load_key(tmp_path / "other"))
