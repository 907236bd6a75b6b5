"""Keys: made, written, compared, and what of them is never told."""

import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.errors import ConfigError
from serve.security import keyfile, keys

GOOD = "0123456789abcdef0123456789abcdef"
LINE = "alice:sha256:" + "0" * 64


def test_a_made_key_is_found_again_under_its_name_and_no_other_is() -> None:
    mine, yours = keys.mint(), keys.mint()
    kept = keys.parse(keys.written([keys.made("alice", mine), keys.made("bob", yours)]))
    assert (keys.holder(kept, mine.encode()), keys.holder(kept, yours.encode())) == ("alice", "bob")
    assert keys.holder(kept, keys.mint().encode()) is None
    assert keys.holder(kept, b"") is None


def test_made_keys_differ_and_are_strong_enough_to_be_brought_along() -> None:
    made = {keys.mint() for _ in range(100)}
    assert len(made) == 100
    assert all(keys.made("a", key) for key in made)


def test_a_file_of_keys_has_no_key_in_it() -> None:
    key = keys.mint()
    assert key not in keys.written([keys.made("alice", key)])


def test_every_key_is_compared_whichever_is_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    minted = [keys.mint() for _ in range(5)]
    kept = [keys.made(f"k{number}", key) for number, key in enumerate(minted)]
    compared: list[int] = []
    real = hmac.compare_digest

    def counting(one: bytes, other: bytes) -> bool:
        compared[-1] += 1
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    for key in [*minted, keys.mint()]:
        compared.append(0)
        keys.holder(kept, key.encode())
    assert compared == [5] * 6


@pytest.mark.parametrize(
    "key",
    ["", "short", "x" * 64, "abc" * 20, GOOD + " ", GOOD + "é", GOOD + "\n"],
    ids=["none", "short", "one character", "three characters", "space", "not ASCII", "line feed"],
)
def test_a_key_that_could_be_guessed_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        keys.made("alice", key)
    assert "\n" not in str(refusal.value)
    assert not key or key not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é", "x" * 65, "-a", "a\n"])
def test_a_name_that_would_break_the_file_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="can't name a key"):
        keys.made(name, GOOD)


@pytest.mark.parametrize(
    "text",
    ["alice", "alice:" + "0" * 64, "alice:md5:" + "0" * 32, "alice:sha256:" + "0" * 63, ":sha256:" + "0" * 64, GOOD],
    ids=["name alone", "no scheme", "another scheme", "short digest", "no name", "a bare key"],
)
def test_a_bad_line_is_named_by_its_number_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="line 3") as refusal:
        keys.parse(f"# comment\n\n{text}\n")
    assert text not in str(refusal.value)


def test_two_keys_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="line 2"):
        keys.parse(f"{LINE}\n{LINE}\n")


@given(st.text())
def test_any_text_is_keys_or_one_line_of_refusal(text: str) -> None:
    try:
        kept = keys.parse(text)
    except ConfigError as error:
        refusal = error
    else:
        assert keys.parse(keys.written(kept)) == kept
        return
    assert "\n" not in str(refusal)


@pytest.mark.parametrize(
    ("headers", "given_keys"),
    [
        ([(b"authorization", b"Bearer k")], [b"k"]),
        ([(b"authorization", b"bearer  k ")], [b"k"]),
        ([(b"x-api-key", b" k ")], [b"k"]),
        ([(b"authorization", b"Bearer a"), (b"x-api-key", b"b")], [b"a", b"b"]),
        ([(b"authorization", b"Basic k")], []),
        ([(b"authorization", b"k")], []),
        ([(b"cookie", b"x-api-key=k")], []),
    ],
)
def test_a_key_comes_as_bearer_or_x_api_key(headers: list[tuple[bytes, bytes]], given_keys: list[bytes]) -> None:
    assert list(keys.presented(headers)) == given_keys


def test_the_file_is_made_for_its_owner_alone_and_keeps_the_mode_it_is_given(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keyfile.add(file, keys.made("alice", GOOD))
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    keyfile.add(file, keys.made("bob", GOOD))
    keyfile.remove(file, "alice")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [key.name for key in keyfile.read(file)] == ["bob"]
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_a_name_is_added_once_and_only_what_is_there_is_removed(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keyfile.add(file, keys.made("alice", GOOD))
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="already"):
        keyfile.add(file, keys.made("alice", keys.mint()))
    with pytest.raises(ConfigError, match="no key of 'bob'; it has alice"):
        keyfile.remove(file, "bob")
    assert file.read_bytes() == before


def test_a_link_stays_one_and_the_file_that_it_leads_to_is_changed(tmp_path: Path) -> None:
    file, link = tmp_path / "real", tmp_path / "keys"
    keyfile.add(file, keys.made("alice", GOOD))
    link.symlink_to(file)
    keyfile.add(link, keys.made("bob", GOOD))
    assert link.is_symlink()
    assert len(keyfile.read(file)) == 2


def test_a_file_is_edited_in_its_place_as_one_that_a_container_has_mounted_must_be(tmp_path: Path) -> None:
    file, mounted = tmp_path / "keys", tmp_path / "mounted"
    keyfile.add(file, keys.made("alice", keys.mint()))
    keyfile.add(file, keys.made("bob", keys.mint()))
    os.link(file, mounted)  # the same inode under another name, which is what a bind mount of one file is
    running = keyfile.KeyFile(mounted)
    inode = file.stat().st_ino
    keyfile.remove(file, "alice")
    running.refresh()
    assert [key.name for key in running.keys] == ["bob"]
    keyfile.add(file, keys.made("carol", keys.mint()))
    running.refresh()
    assert [key.name for key in running.keys] == ["bob", "carol"]
    assert file.stat().st_ino == inode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_an_edit_by_root_leaves_the_file_to_its_owner(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    keyfile.add(file, keys.made("alice", keys.mint()))
    os.chown(file, 10001, 10001)
    keyfile.add(file, keys.made("bob", keys.mint()))
    keyfile.remove(file, "alice")
    kept = file.stat()
    assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o777) == (10001, 10001, 0o600)


def test_edits_at_the_same_time_lose_none(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    names = [f"k{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: keyfile.add(file, keys.made(name, keys.mint())), names))
    assert sorted(key.name for key in keyfile.read(file)) == sorted(names)


def test_a_file_read_half_written_is_tried_again_although_nothing_shows_that_it_is_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, whole = tmp_path / "keys", keys.written([keys.made("bob", GOOD)]).encode()
    keyfile.add(path, keys.made("alice", keys.mint()))
    file = keyfile.KeyFile(path)
    for written, held in ((whole[:-5] + b"     ", "alice"), (whole, "bob")):
        path.write_bytes(written)
        os.utime(path, ns=(10**18, 10**18))  # within one tick of the file system's clock
        file.refresh()
        file.refresh()
        assert [key.name for key in file.keys] == [held]
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_what_is_written_while_the_file_is_read_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "keys"
    keyfile.add(path, keys.made("alice", keys.mint()))
    real = keyfile.read

    def overtaken(read: Path) -> tuple[keys.Key, ...]:
        found = real(read)
        monkeypatch.undo()
        keyfile.add(path, keys.made("bob", keys.mint()))
        return found

    monkeypatch.setattr(keyfile, "read", overtaken)
    file = keyfile.KeyFile(path)
    assert [key.name for key in file.keys] == ["alice"]
    file.refresh()
    assert [key.name for key in file.keys] == ["alice", "bob"]


def test_a_changed_file_is_read_and_a_bad_one_changes_nothing_but_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, key = tmp_path / "keys", keys.mint()
    keyfile.add(path, keys.made("alice", key))
    file = keyfile.KeyFile(path)
    before = file.keys
    path.write_text(f"bob:{key}\n")
    file.refresh()
    assert file.keys == before
    path.unlink()
    file.refresh()
    file.refresh()
    assert file.keys == before
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert key not in caplog.text
    keyfile.add(path, keys.made("carol", key))
    file.refresh()
    assert [held.name for held in file.keys] == ["carol"]
    keyfile.remove(path, "carol")
    file.refresh()
    assert file.keys == ()


@pytest.mark.parametrize("content", [None, b"", b"# none\n", b"\xff\xfe", b"rubbish"])
def test_a_router_does_not_start_without_a_usable_key(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=str(path)):
        keyfile.KeyFile(path)
