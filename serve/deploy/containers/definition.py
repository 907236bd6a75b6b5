"""Turns a service of a rendered Compose document into what Docker's API takes to create its container.

Pure. The Compose document is the one place where a container's settings stand: a key that this module doesn't know is
refused, so that nothing is lost on the way, and nothing may be added here but names and labels. The containers bear the
names and labels that Compose would give them, so that `docker compose ps`, `logs` and `down` know them too.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from serve.errors import ConfigError

PROFILE = "io.polydraft.profile"
FINGERPRINT = "io.polydraft.configuration"
"""The label that holds a container's fingerprint: what it was made from."""
DRAFTERS = "io.polydraft.drafters"
"""The label that says `off` on containers that were made without drafters."""

_COMPOSE = "com.docker.compose"
_VARIABLE = re.compile(r"\$\$|\$\{(\w+):-([^}]*)\}")
_SECOND = 10**9
"""Nanoseconds, in which Docker's API counts."""
_UNITS = {"b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}
_SPANS = {"s": 1, "m": 60, "h": 3600}

Service = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a container is: Compose's project, the profile, and whether its engines were left their drafters."""

    project: str
    profile: str
    drafters: bool = True

    @property
    def network(self) -> str:
        """The network that Compose gives a project."""
        return f"{self.project}_default"

    def volume(self, name: str) -> str:
        """Return what Compose calls a project's volume."""
        return f"{self.project}_{name}"


@dataclass(frozen=True, slots=True)
class Definition:
    """A container that is to be: its service, its name, its image, the API's document, seconds to stop.

    `fingerprint` stands for all of the document but what the shell passes on, such as the hub's token, and for nothing
    that wouldn't make it another container.
    """

    service: str
    name: str
    image: str
    document: Mapping[str, Any]
    fingerprint: str
    grace: int


def define(owner: Owner, name: str, service: Service, given: Mapping[str, str]) -> Definition:
    """Return the container of a service; `given` is the shell's part: variables by name.

    Raises ConfigError for a key of the service that has no counterpart here.
    """
    unknown = service.keys() - _HANDLED.keys() - _ELSEWHERE
    if unknown:
        raise ConfigError(f"service {name}: {', '.join(sorted(unknown))}: can't be carried out; use docker compose up")
    own: dict[str, Any] = {"Image": service["image"], "HostConfig": {"NetworkMode": owner.network}}
    for key, carry in _HANDLED.items():
        if key in service:
            _merge(own, carry(_filled(service[key], given), owner))
    aliases = service.get("networks", {}).get("default", {}).get("aliases", [])
    own["NetworkingConfig"] = {"EndpointsConfig": {owner.network: {"Aliases": [name, *aliases]}}}
    own["Labels"] = {
        f"{_COMPOSE}.project": owner.project,
        f"{_COMPOSE}.service": name,
        f"{_COMPOSE}.container-number": "1",
        f"{_COMPOSE}.oneoff": "False",
        PROFILE: owner.profile,
    }
    fingerprint = hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()
    own["Labels"] |= {
        f"{_COMPOSE}.config-hash": fingerprint,  # Compose lists none without; its own differ, so it would make it anew
        FINGERPRINT: fingerprint,
        DRAFTERS: "on" if owner.drafters else "off",
    }
    own["Env"] = [*own.get("Env", []), *_passed(service, given)]
    grace = _seconds(service.get("stop_grace_period", "10s"))
    return Definition(name, f"{owner.project}-{name}-1", service["image"], own, fingerprint, grace)


def apart(definition: Definition) -> Definition:
    """Return a container as one that Compose doesn't know of: no service of its document is this one."""
    labels = {name: text for name, text in definition.document["Labels"].items() if not name.startswith(_COMPOSE)}
    return replace(definition, document={**definition.document, "Labels": labels})


def network_labels(owner: Owner) -> dict[str, str]:
    """Return the labels by which Compose takes the network for its own."""
    return {f"{_COMPOSE}.project": owner.project, f"{_COMPOSE}.network": "default"}


def volume_labels(owner: Owner, name: str) -> dict[str, str]:
    """Return the labels by which Compose takes a volume for its own."""
    return {f"{_COMPOSE}.project": owner.project, f"{_COMPOSE}.volume": name}


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    """Put the shell's variables in, as Compose does, and take `$$` for the `$` that it stands for."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: (given.get(found[1]) or found[2]) if found[1] else "$", value)
    if isinstance(value, Mapping):
        return {key: _filled(each, given) for key, each in value.items()}
    return [_filled(each, given) for each in value] if isinstance(value, list) else value


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _host(key: str, turn: Callable[[Any], Any] = lambda value: value) -> Callable[[Any, Owner], dict[str, Any]]:
    return lambda value, _: {"HostConfig": {key: turn(value)}}


def _passed(service: Service, given: Mapping[str, str]) -> list[str]:
    """The variables that the service has without a value: the shell's, where it has them."""
    names = [name for name, value in service.get("environment", {}).items() if value is None]
    return [f"{name}={given[name]}" for name in names if given.get(name)]


def _environment(variables: Mapping[str, Any], _: Owner) -> dict[str, Any]:
    return {"Env": [f"{name}={value}" for name, value in variables.items() if value is not None]}


def _healthcheck(check: Mapping[str, Any], _: Owner) -> dict[str, Any]:
    if check.get("disable"):
        return {"Healthcheck": {"Test": ["NONE"]}}
    spans = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
    times = {theirs: _seconds(check[ours]) * _SECOND for ours, theirs in spans.items() if ours in check}
    return {"Healthcheck": {"Test": check["test"], **times, "Retries": check.get("retries", 0)}}


def _ports(published: Sequence[str], _: Owner) -> dict[str, Any]:
    bindings = {}
    for each in published:
        address, port, inside = each.rsplit(":", 2)
        bindings[f"{inside}/tcp"] = [{"HostIp": address, "HostPort": port}]
    return {"ExposedPorts": {inside: {} for inside in bindings}, "HostConfig": {"PortBindings": bindings}}


def _restart(policy: str) -> dict[str, Any]:
    name, _, most = policy.partition(":")
    return {"Name": name, "MaximumRetryCount": int(most or 0)}


def _tmpfs(scratch: Sequence[str]) -> dict[str, str]:
    return {path: options for path, _, options in (each.partition(":") for each in scratch)}


def _ulimits(limits: Mapping[str, Any]) -> list[dict[str, Any]]:
    pairs = {name: each if isinstance(each, Mapping) else {"soft": each, "hard": each} for name, each in limits.items()}
    return [{"Name": name, "Soft": each["soft"], "Hard": each["hard"]} for name, each in pairs.items()]


def _volumes(volumes: Sequence[str], owner: Owner) -> dict[str, Any]:
    mounts = []
    for each in volumes:
        name, _, target = each.partition(":")
        if name.startswith((".", "/")) or ":" in target:
            raise ConfigError(f"volume {each}: only a named volume's whole can be mounted; use docker compose up")
        mounts.append({"Type": "volume", "Source": owner.volume(name), "Target": target})
    return {"HostConfig": {"Mounts": mounts}}


def _deploy(deploy: Mapping[str, Any], _: Owner) -> dict[str, Any]:
    requests = []
    for device in deploy["resources"]["reservations"]["devices"]:
        wanted = {"Driver": device["driver"], "Capabilities": [device["capabilities"]]}
        chosen = {"DeviceIDs": device["device_ids"]} if "device_ids" in device else {"Count": device["count"]}
        requests.append(wanted | chosen)
    return {"HostConfig": {"DeviceRequests": requests}}


_HANDLED: Mapping[str, Callable[[Any, Owner], dict[str, Any]]] = {
    "entrypoint": lambda words, _: {"Entrypoint": words},
    "command": lambda words, _: {"Cmd": words},
    "environment": _environment,
    "ports": _ports,
    "healthcheck": _healthcheck,
    "restart": _host("RestartPolicy", _restart),
    "stop_grace_period": lambda text, _: {"StopTimeout": _seconds(text)},
    "init": _host("Init"),
    "read_only": _host("ReadonlyRootfs"),
    "tmpfs": _host("Tmpfs", _tmpfs),
    "user": lambda user, _: {"User": user},
    "cap_drop": _host("CapDrop"),
    "security_opt": _host("SecurityOpt"),
    "pids_limit": _host("PidsLimit"),
    "mem_limit": _host("Memory", lambda text: _bytes(text)),
    "memswap_limit": _host("MemorySwap", lambda text: _bytes(text)),
    "oom_score_adj": _host("OomScoreAdj"),
    "shm_size": _host("ShmSize", lambda text: _bytes(text)),
    "ulimits": _host("Ulimits", _ulimits),
    "extra_hosts": _host("ExtraHosts"),
    "volumes": _volumes,
    "deploy": _deploy,
    "logging": _host("LogConfig", lambda how: {"Type": how["driver"], "Config": how["options"]}),
}
_ELSEWHERE = {"image", "build", "profiles", "depends_on", "networks"}
"""Keys that say what surrounds a container; `stack.py` reads the build and the order."""


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)([smh])", text)
    if found is None:
        raise ConfigError(f"{text!r} isn't a span of time such as 40s")
    return int(found[1]) * _SPANS[found[2]]


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([a-z]+)", text)
    if found is None or found[2] not in _UNITS:
        raise ConfigError(f"{text!r} isn't a size such as 2g")
    return int(found[1]) * _UNITS[found[2]]
