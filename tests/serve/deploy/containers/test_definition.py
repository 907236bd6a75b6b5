"""What Docker's API is told of each service of the rendered Compose documents."""

import pytest

from serve.deploy import profile as profiles
from serve.deploy.compose import compose_file
from serve.deploy.containers.definition import FINGERPRINT, Owner, apart, define
from serve.errors import ConfigError
from tests.serve.deploy.containers.standing_in import builds

GPU = [name for name in profiles.names() if profiles.load_named(name).host.accelerator != "cpu"]
OWNER = Owner("polydraft", "gb10")
GIB = 2**30


@pytest.mark.parametrize("name", profiles.names())
def test_every_service_of_every_profile_can_be_told(name: str) -> None:
    services = compose_file(profiles.load_named(name), builds("test"))["services"]
    for service, stated in services.items():
        made = define(Owner("polydraft", name), service, stated, {})
        assert made.name == f"polydraft-{service}-1"
        assert made.document["Image"] == stated["image"]


def test_an_engine_s_settings_arrive_as_docker_writes_them() -> None:
    service = compose_file(profiles.load_named("gb10"), builds("test"))["services"]["gb10-engine"]
    made = define(OWNER, "gb10-engine", service, {"HF_TOKEN": "hf_secret"})
    document, host = made.document, made.document["HostConfig"]
    assert document["Cmd"][0] == "RedHatAI/gemma-4-26B-A4B-it-FP8-Dynamic"
    assert document["User"] == "2000:0"
    assert document["StopTimeout"] == made.grace == 330
    assert document["Healthcheck"]["StartPeriod"] == 3600 * 10**9
    assert "HF_TOKEN=hf_secret" in document["Env"]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}
    assert (host["Memory"], host["MemorySwap"], host["ShmSize"]) == (72 * GIB, 72 * GIB, GIB)
    assert host["DeviceRequests"] == [{"Driver": "nvidia", "Count": 1, "Capabilities": [["gpu"]]}]
    assert host["Mounts"] == [{"Type": "volume", "Source": "polydraft_gb10-cache", "Target": "/cache"}]
    assert host["Tmpfs"] == {"/tmp": "exec,mode=1777,size=4g"}
    assert "PortBindings" not in host
    aliases = document["NetworkingConfig"]["EndpointsConfig"]["polydraft_default"]["Aliases"]
    assert aliases == ["gb10-engine", "polydraft-engine"]


def test_what_is_run_instead_of_the_image_s_own_arrives() -> None:
    service = compose_file(profiles.load_named("gb10"), builds("test"))["services"]["gb10-download"]
    document = define(OWNER, "gb10-download", service, {}).document
    assert document["Entrypoint"] == ["python3", "/opt/polydraft/models.py"]
    assert document["Cmd"][0] == "fetch"
    assert document["Cmd"][1].startswith("RedHatAI/gemma-4-26B-A4B-it-FP8-Dynamic")


def test_the_router_is_published_where_the_port_says_and_on_loopback() -> None:
    service = compose_file(profiles.load_named("gb10"), builds("test"))["services"]["gb10"]
    for given, port in (({}, "8000"), ({"POLYDRAFT_PORT": "8200"}, "8200")):
        bindings = define(OWNER, "gb10", service, given).document["HostConfig"]["PortBindings"]
        assert bindings == {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": port}]}


def test_the_fingerprint_tells_configurations_apart_but_not_tokens() -> None:
    service = {"image": "x", "command": ["a"], "environment": {"HF_TOKEN": None}}
    plain = define(OWNER, "s", service, {})
    assert define(OWNER, "s", service, {"HF_TOKEN": "t"}).fingerprint == plain.fingerprint
    assert define(Owner("polydraft", "gb10", drafters=False), "s", service, {}).fingerprint == plain.fingerprint
    assert define(OWNER, "s", service | {"command": ["b"]}, {}).fingerprint != plain.fingerprint
    assert plain.document["Labels"][FINGERPRINT] == plain.fingerprint


def test_a_literal_dollar_stays_one() -> None:
    made = define(OWNER, "s", {"image": "x", "command": ["$${A:-b}", "5$$"]}, {"A": "c"})
    assert made.document["Cmd"] == ["${A:-b}", "5$"]


def test_limits_of_either_form_arrive() -> None:
    stated = {"memlock": -1, "nofile": {"soft": 1024, "hard": 4096}}
    host = define(OWNER, "s", {"image": "x", "ulimits": stated}, {}).document["HostConfig"]
    memory, files = host["Ulimits"]
    assert memory == {"Name": "memlock", "Soft": -1, "Hard": -1}
    assert files == {"Name": "nofile", "Soft": 1024, "Hard": 4096}


def test_a_container_apart_has_no_label_of_compose_s() -> None:
    made = define(OWNER, "s", {"image": "x"}, {})
    assert any(name.startswith("com.docker.compose") for name in made.document["Labels"])
    assert all(name.startswith("io.polydraft") for name in apart(made).document["Labels"])


@pytest.mark.parametrize(
    ("service", "named"),
    [
        ({"privileged": True}, "privileged"),
        ({"volumes": ["./models:/cache"]}, "named volume"),
        ({"volumes": ["cache:/cache:ro"]}, "named volume"),
        ({"stop_grace_period": "1h30m"}, "span of time"),
        ({"mem_limit": "lots"}, "size"),
    ],
    ids=["unknown key", "a folder", "an option", "a span", "a size"],
)
def test_what_would_be_lost_is_refused(service: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        define(OWNER, "s", {"image": "x", **service}, {})
