"""What the pins say, what is written into them, and who goes by them."""

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serve import __main__ as command_line
from serve.deploy import pins as pinning
from serve.deploy import profile as profiles
from serve.deploy.pins import PINS, Pin, Pins
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "sha256:" + hashlib.sha256(b"index").hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def shipped() -> Pins:
    return pinning.load(ROOT / PINS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A copy of the shipped pins."""
    return Path(shutil.copy(ROOT / PINS, tmp_path / "pins.toml"))


def values(pins: Pins) -> dict[tuple[str, str], str]:
    return {(pin.kind, pin.name): DIGEST if pin.kind in pinning.CONTAINER else COMMIT for pin in pins.unresolved()}


def unresolve(path: Path) -> Pins:
    """Make every pin that can be resolved unresolved, whatever the shipped file holds by now."""
    text = re.sub(r'^(digest|revision) = ".*"$', r'\1 = "unresolved"', path.read_text(encoding="utf-8"), flags=re.M)
    path.write_text(text, encoding="utf-8")
    return pinning.load(path)


def test_what_was_found_is_written_and_nothing_else_changes(path: Path) -> None:
    before = unresolve(path)
    text = path.read_text(encoding="utf-8")
    found = values(before)
    pinning.write(path, found)  # type: ignore[arg-type]
    after = pinning.load(path)
    assert after.unresolved() == []
    assert {(pin.kind, pin.name): pin.value for pin in after.all if (pin.kind, pin.name) in found} == found
    written = path.read_text(encoding="utf-8")
    assert re.sub(rf"{DIGEST}|{COMMIT}", "unresolved", written) == text
    pinning.check(after)


def test_a_pin_that_is_resolved_is_never_moved(path: Path) -> None:
    found = {("bases", "router"): DIGEST}
    unresolve(path)
    pinning.write(path, found)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"bases.router doesn't say digest = 'unresolved'"):
        pinning.write(path, {("bases", "router"): DIGEST.replace("a", "b")})


def test_checking_names_what_is_unresolved_and_what_to_do_in_one_line(path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unresolved \(.*python:.*\); run `polydraft pins --resolve`") as caught:
        pinning.check(unresolve(path))
    assert "\n" not in str(caught.value)


def test_an_unresolved_base_is_no_reference_that_a_builder_would_take() -> None:
    reference = Pin("bases", "router", "python:3.11", pinning.UNRESOLVED, "because").reference
    assert "run `polydraft pins --resolve`" in reference
    assert not re.fullmatch(r"[a-z0-9./:_-]+(@sha256:[0-9a-f]{64})?", reference)


def test_the_table_names_every_pin_with_its_value_and_reason() -> None:
    printed = pinning.table(shipped()).splitlines()[1:]
    assert len(printed) == len(shipped().all)
    for pin, line in zip(shipped().all, printed, strict=True):
        assert re.match(rf"{pin.kind} +{re.escape(pin.subject)} +{re.escape(pin.value)} +\S", line)


def test_the_command_prints_the_table() -> None:
    done = CliRunner().invoke(command_line.cli, ["pins"])
    assert done.output.rstrip("\n") == pinning.table(shipped())


def test_every_model_of_a_profile_has_a_pin_and_every_pin_a_profile() -> None:
    loaded = [profiles.load_named(name) for name in profiles.names()]
    bodies = [body for profile in loaded for body in profile.bodies.values()]
    drafters = [lane.speculative_config for body in bodies for lane in body.lanes if lane.speculative_config]
    named = [(body.model, body.revision) for body in bodies] + [(each.model, each.revision) for each in drafters]
    hub = {model for model, revision in named if revision != "local"}
    assert hub == shipped().of("models").keys()


@pytest.mark.parametrize("name", profiles.names())
def test_a_profile_gets_its_revisions_from_the_pins_alone(name: str) -> None:
    text = (profiles.PROFILES / f"{name}.toml").read_text(encoding="utf-8")
    assert set(re.findall(r'revision = "(.*?)"', text)) <= {"local"}
    resolved = Pins(tuple(Pin(p.kind, p.name, p.subject, COMMIT, p.why) for p in shipped().all if p.kind == "models"))
    pinned = pinning.pinned(profiles.load_named(name), resolved)
    assert {body.revision for body in pinned.bodies.values()} <= {COMMIT, "local"}


def test_a_profile_that_states_a_commit_is_sent_to_the_pins() -> None:
    profile = profiles.load_named("gb10")
    stated = profile.model_copy(
        update={"bodies": {k: b.model_copy(update={"revision": COMMIT}) for k, b in profile.bodies.items()}}
    )
    with pytest.raises(ConfigError, match=rf"gb10.toml: revision: {COMMIT} of .* belongs into images/pins.toml"):
        pinning.pinned(stated, shipped())


def test_a_model_without_a_pin_is_named() -> None:
    with pytest.raises(ConfigError, match=r"models.'google/.*' is missing; add it"):
        pinning.pinned(profiles.load_named("gb10"), Pins(()))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(lambda s: s.replace("[packages.vllm]", "[wheels.vllm]"), "'wheels' isn't a kind", id="kind"),
        pytest.param(lambda s: s.replace("tag = ", "tagg = "), "'tag' is missing", id="missing"),
        pytest.param(lambda s: s.replace("\nlock = ", "\nlok = 1\nlock = "), "'lok' isn't a field", id="unknown"),
        pytest.param(lambda s: s.replace('"0.33.0"', '"latest"'), "version can't be 'latest'", id="moving version"),
        pytest.param(lambda s: s.replace('"0.33.0"', '"unresolved"'), "version can't be 'unresolved'", id="version"),
        pytest.param(
            lambda s: re.sub(r'digest = ".*"', 'digest = "sha256:12"', s), "digest can't be 'sha256:12'", id="digest"
        ),
        pytest.param(lambda s: re.sub(r"\nwhy = \"[^\"\n]+\"\n", '\nwhy = ""\n', s), "why is empty", id="no reason"),
        pytest.param(lambda s: s + "[", "can't be read", id="syntax"),
    ],
)
def test_a_bad_pin_gives_one_line(change: Callable[[str], str], problem: str, path: Path) -> None:
    changed = change(path.read_text(encoding="utf-8"))
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(ConfigError, match=problem) as caught:
        pinning.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("pin", shipped().of("packages").values(), ids=lambda pin: pin.name)
def test_the_lock_holds_a_package_at_its_pin_and_by_hash(pin: Pin) -> None:
    lock = (ROOT / pin.lock).read_text(encoding="utf-8")
    assert f"\n{pin.name}=={pin.value} \\\n    --hash=sha256:" in lock


@pytest.mark.parametrize("pin", shipped().all, ids=lambda pin: f"{pin.kind}-{pin.name}")
def test_every_pin_says_why(pin: Pin) -> None:
    assert len(pin.why) > 20
    assert not pin.subject.endswith((":latest", ":nightly"))
