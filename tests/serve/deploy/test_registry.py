"""What the registry, the model hub and the package index are asked, and what comes of what they answer."""

import asyncio
import contextlib
import hashlib
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from serve import pin_commands
from serve.deploy import pins as pinning
from serve.deploy import registry
from serve.deploy.pins import Pin, Pins
from serve.errors import ConfigError

DIGEST = "sha256:" + hashlib.sha256(b"index").hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
INDEX = "application/vnd.oci.image.index.v1+json"

PACKAGE = "polydraftstandin"
"""A name that no index has, so that what pip is set to look at besides says nothing."""


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
            await pin_commands._resolve(file)

    with pytest.raises(ConfigError, match=r"^1 pins resolved, 1 not \(.*tool:2: .* HTTP 404\); run it") as caught:
        asyncio.run(resolving())
    assert "\n" not in str(caught.value)
    assert [pin.value for pin in pinning.load(file).all] == [DIGEST, "unresolved", DIGEST]
    assert not any("manifests/3" in asked for asked in hub.asked)
