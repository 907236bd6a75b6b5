import asyncio
import contextlib
import hashlib
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from typer.testing import CliRunner

from serve import __main__ as command_line
from serve.deploy import pins as pinning
from serve.deploy import profile as profiles
from serve.deploy import registry
from serve.deploy.pins import PINS, Pin, Pins
from serve.deploy.rollback import rollback
from serve.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
DIGEST = "sha256:" + hashlib.sha256(b"index").hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
INDEX = "application/vnd.oci.image.index.v1+json"

PACKAGE = "polydraftstandin"
"""A name that no index has, so that what pip is set to look at besides says nothing."""


def shipped() -> Pins:
    return pinning.load(ROOT / PINS)


@dataclass
class Hub:
    """A stand-in for a registry that wants an anonymous token, and for a model hub."""

    digests: dict[str, str] = field(default_factory=lambda: {"library/python:3.11": DIGEST, "team/tool:1": DIGEST})
    commits: dict[str, object] = field(default_factory=lambda: {"org/model": {"sha": COMMIT}})
    releases: dict[str, tuple[str, ...]] = field(default_factory=lambda: {PACKAGE: ("1.9", "2.0")})
    content_type: str = INDEX
    challenge: str | None = "Bearer"
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def manifest(self, request: web.Request) -> web.Response:
        repository, tag = request.match_info["repository"], request.match_info["tag"]
        self.asked.append(f"{request.method} {request.path}")
        if self.challenge and request.headers.get("Authorization") != f"Bearer read-{repository}":
            wanted = (
                f'{self.challenge} realm="{self.url}/token",service="stand-in",scope="repository:{repository}:pull"'
            )
            return web.Response(status=401, headers={"WWW-Authenticate": wanted})
        assert INDEX in request.headers["Accept"]
        if f"{repository}:{tag}" not in self.digests:
            return web.Response(status=404)
        found = {"Docker-Content-Digest": self.digests[f"{repository}:{tag}"], "Content-Type": self.content_type}
        return web.Response(headers=found)

    async def token(self, request: web.Request) -> web.Response:
        assert request.query["service"] == "stand-in"
        scope = re.fullmatch("repository:(.+):pull", request.query["scope"])
        assert scope is not None
        return web.json_response({"token": f"read-{scope[1]}"})

    async def release(self, request: web.Request) -> web.Response:
        package = request.match_info["package"]
        if package not in self.releases:
            return web.Response(status=404)
        files = (f"{package}-{version}-py3-none-any.whl" for version in self.releases[package])
        links = "".join(f'<a href="/{file}">{file}</a>' for file in files)
        return web.Response(text=f"<!DOCTYPE html><body>{links}</body>", content_type="text/html")

    async def revision(self, request: web.Request) -> web.Response:
        model = request.match_info["model"]
        return web.json_response(self.commits[model]) if model in self.commits else web.Response(status=401)


@contextlib.asynccontextmanager
async def serving(hub: Hub) -> AsyncIterator[aiohttp.ClientSession]:
    application = web.Application()
    application.router.add_route("HEAD", "/v2/{repository:.+}/manifests/{tag}", hub.manifest)
    application.router.add_get("/token", hub.token)
    application.router.add_get("/simple/{package}/", hub.release)
    application.router.add_get("/api/models/{model:.+}/revision/main", hub.revision)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession() as client:
            yield client
    finally:
        await runner.cleanup()


def ask(hub: Hub, *pins: Pin) -> registry.Findings:
    """Resolve pins against the stand-in, once started."""

    async def asking() -> registry.Findings:
        async with serving(hub) as client:
            return await registry.resolve(pins, client, hub.url, hub.url)

    return asyncio.run(asking())


def base(subject: str) -> Pin:
    return Pin("bases", "router", subject, "unresolved", "because")


def model(subject: str) -> Pin:
    return Pin("models", subject, subject, "unresolved", "because")


def test_a_tag_s_digest_is_read_with_an_anonymous_token() -> None:
    hub = Hub()
    findings = ask(hub, base("python:3.11"))
    assert findings == registry.Findings({("bases", "router"): DIGEST}, {})
    assert hub.asked == ["HEAD /v2/library/python/manifests/3.11"] * 2


def test_a_registry_without_tokens_is_asked_once() -> None:
    hub = Hub(challenge=None)
    assert ask(hub, base("team/tool:1")).found == {("bases", "router"): DIGEST}
    assert hub.asked == ["HEAD /v2/team/tool/manifests/1"]


def test_an_image_that_names_its_registry_is_asked_there() -> None:
    async def asking() -> str:
        hub = Hub()
        async with serving(hub) as client:
            return await registry.digest(
                client, f"{hub.url.removeprefix('http://')}/team/tool:1", "http://unused.invalid"
            )

    assert asyncio.run(asking()) == DIGEST


def test_a_model_s_commit_is_read_from_the_hub() -> None:
    assert ask(Hub(), model("org/model")).found == {("models", "org/model"): COMMIT}


@pytest.mark.parametrize(
    ("hub", "pin", "reason"),
    [
        pytest.param(Hub(), base("python:9"), r"answers HTTP 404", id="no such tag"),
        pytest.param(Hub(challenge="Basic"), base("python:3.11"), r"wants a login", id="login"),
        pytest.param(
            Hub(content_type="application/vnd.oci.image.manifest.v1+json"),
            base("python:3.11"),
            r"for one architecture alone",
            id="one architecture",
        ),
        pytest.param(Hub(digests={"team/tool:1": "md5:12"}), base("team/tool:1"), r"no SHA-256", id="odd digest"),
        pytest.param(Hub(), model("org/gone"), r"answers HTTP 401", id="no such model"),
        pytest.param(Hub(commits={"org/model": {"sha": "main"}}), model("org/model"), r"no commit", id="no commit"),
        pytest.param(Hub(commits={"org/model": ["sha"]}), model("org/model"), r"no commit", id="odd answer"),
    ],
)
def test_what_can_t_be_read_says_why_and_spoils_nothing_else(hub: Hub, pin: Pin, reason: str) -> None:
    hub.commits["org/other"] = {"sha": COMMIT}
    findings = ask(hub, pin, model("org/other"))
    assert findings.found == {("models", "org/other"): COMMIT}
    assert re.search(reason, findings.failed[pin.subject])
    assert pin.subject in findings.reasons()


def test_a_registry_that_isn_t_there_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

    async def asking() -> registry.Findings:
        async with aiohttp.ClientSession() as client:
            return await registry.resolve([base(f"127.0.0.1:{port}/python:3.11")], client)

    assert "Cannot connect" in asyncio.run(asking()).reasons()


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


def test_the_command_writes_what_it_could_read_and_names_the_rest(tmp_path: Path) -> None:
    """One of two bases is in the registry; a resolved one isn't asked for at all."""
    file, hub = tmp_path / "pins.toml", Hub()

    def pin(name: str, tag: str, digest: str) -> str:
        image = f"{hub.url.removeprefix('http://')}/team/tool"
        return f'[bases.{name}]\nimage = "{image}"\ntag = "{tag}"\ndigest = "{digest}"\nwhy = "because"\n'

    async def resolving() -> None:
        async with serving(hub):
            bases = [("good", "1", "unresolved"), ("gone", "2", "unresolved"), ("known", "3", DIGEST)]
            file.write_text("".join(pin(*each) for each in bases))
            await command_line._resolve(file)

    with pytest.raises(ConfigError, match=r"^1 pins resolved, 1 not \(.*tool:2: .* HTTP 404\); run it") as caught:
        asyncio.run(resolving())
    assert "\n" not in str(caught.value)
    assert [pin.value for pin in pinning.load(file).all] == [DIGEST, "unresolved", DIGEST]
    assert not any("manifests/3" in asked for asked in hub.asked)


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
    reference = base("python:3.11").reference
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


def look_for_newer(hub: Hub, *pins: Pin) -> registry.Findings:
    async def asking() -> registry.Findings:
        async with serving(hub) as client:
            return await registry.newest(pins, client, hub.url, hub.url, f"{hub.url}/simple")

    return asyncio.run(asking())


def test_what_is_newer_is_named_and_nothing_else() -> None:
    pins = (
        Pin("packages", PACKAGE, PACKAGE, "1.9", "because"),
        Pin("bases", "router", "python:3.11", "sha256:" + "0" * 64, "because"),
        Pin("images", "tool", "team/tool:1", DIGEST, "because"),
        Pin("models", "org/model", "org/model", COMMIT, "because"),
        Pin("debian", "libnuma1", "libnuma1", "2.0.16-1", "because"),
    )
    findings = look_for_newer(Hub(), *pins)
    assert findings.failed == {}
    header, *rows = pinning.news(Pins(pins), findings.found).splitlines()
    assert header.split() == ["kind", "what", "pinned", "at", "now"]
    assert [row.split()[:2] for row in rows] == [["packages", PACKAGE], ["bases", "python:3.11"]]
    assert [row.split()[-1] for row in rows] == ["2.0", DIGEST]


def test_a_build_of_the_newest_release_is_as_new() -> None:
    pins = (Pin("packages", PACKAGE, PACKAGE, "2.0+cpu", "because"),)
    assert pinning.news(Pins(pins), look_for_newer(Hub(), *pins).found) == "nothing is newer than its pin"


@pytest.mark.parametrize("releases", [{}, {PACKAGE: ()}], ids=["no such package", "no release"])
def test_a_package_without_a_release_is_told(releases: dict[str, tuple[str, ...]]) -> None:
    pin = Pin("packages", PACKAGE, PACKAGE, "1.9", "because")
    findings = look_for_newer(Hub(releases=releases), pin)
    assert findings.failed == {PACKAGE: f"No matching distribution found for {PACKAGE}"}
    assert findings.found == {}


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A repository whose pins and lock were changed once since its first commit, and another file after that."""
    for name in (str(PINS), "images/engine/requirements-gpu.txt", "images/engine/requirements-cpu.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    commit(tmp_path, "first", init=True)
    change(tmp_path / PINS, '"0.33.0"', '"0.34.0"')
    change(tmp_path / "images/engine/requirements-gpu.txt", "vllm==0.33.0", "vllm==0.34.0")
    commit(tmp_path, "newer vLLM")
    (tmp_path / "README.md").write_text("later\n")
    commit(tmp_path, "something else")
    return tmp_path


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def commit(root: Path, message: str, *, init: bool = False) -> None:
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in ([["init", "-q"]] if init else []) + [["add", "-A"], ["commit", "-q", "-m", message]]:
        subprocess.run([*git, *command], check=True)


def test_pins_and_locks_go_back_together_and_nothing_else_does(history: Path) -> None:
    _, changed = rollback(history)
    assert changed == ["images/engine/requirements-gpu.txt", str(PINS)]
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.33.0"
    assert "\nvllm==0.33.0 " in (history / "images/engine/requirements-gpu.txt").read_text(encoding="utf-8")
    assert (history / "README.md").read_text() == "later\n"


def test_a_change_that_is_not_committed_is_the_one_that_goes(history: Path) -> None:
    change(history / PINS, '"0.34.0"', '"0.35.0"')
    assert rollback(history)[1] == []
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.34.0"


def test_pins_that_cannot_be_read_any_more_go_back_too(history: Path) -> None:
    change(history / "images/engine/requirements-gpu.txt", "vllm==0.34.0", "vllm==0.35.0")
    change(history / PINS, '"0.34.0"', '"0.35.0')
    assert rollback(history)[1] == []
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.34.0"
    assert "\nvllm==0.34.0 " in (history / "images/engine/requirements-gpu.txt").read_text(encoding="utf-8")


def test_what_was_staged_goes_too(history: Path) -> None:
    change(history / PINS, '"0.34.0"', '"0.35.0"')
    git = ["git", "-C", str(history)]
    subprocess.run([*git, "add", "-A"], check=True)
    rollback(history)
    assert subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True).stdout == b""


def test_pins_without_a_past_stay_as_they_are(history: Path) -> None:
    shutil.rmtree(history / ".git")
    commit(history, "all there is", init=True)
    with pytest.raises(ConfigError, match="has no earlier version"):
        rollback(history)
    assert pinning.load(history / PINS).get("packages", "vllm").value == "0.34.0"
