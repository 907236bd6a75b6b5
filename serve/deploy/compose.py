"""Renders a profile as a Compose file: the router under the profile's name, and its engines behind it.

Pure: profile in, document out. It must never name a model, a flag or a version: the profile and the pins do. Engines
are reachable from the router alone and come up strictly one after another, since vLLM's memory profiling fails, and on
unified memory takes the machine down, when a neighbour allocates at the same time.
"""

from typing import Any

from serve.deploy import memory
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.images import Builds
from serve.deploy.monitoring import ENGINE_ALIAS, ROUTER_ALIAS
from serve.deploy.profile import Profile

ENGINE_PORT = 8000
ROUTER_PORT = 8000

# Loading takes 10 to 15 minutes on a Spark, the first start's download of up to 27 GB not counted. A healthy answer
# ends the period at once: a long one only delays the verdict on an engine that hangs; one that dies is seen directly.
LOAD_TIME = "1h"
ROUTER_MEMORY = "2g"  # it takes 170 MB
# An engine that fails to start will fail again, and each try leaks driver memory on unified memory until a power cycle.
ENGINE_RESTARTS = "on-failure:2"


def compose_file(profile: Profile, each: Builds) -> dict[str, Any]:
    """Return the Compose document of a profile."""
    engines = [engine.name for engine in profile.served.engines]
    services: dict[str, Any] = {profile.name: _router(profile, each), _service(profile, "plan"): _plan(profile, each)}
    for before, engine in zip(["plan", *engines], engines, strict=False):
        services[_service(profile, engine)] = _engine(profile, each, engine, before)
    return {"services": services, "volumes": {_volume(profile): {}}}


def project_file(profiles: list[str]) -> dict[str, Any]:
    """Return the Compose document that includes every profile's file, and the monitoring's."""
    return {
        "name": "polydraft",
        "include": [*(f"compose/compose.{name}.yaml" for name in profiles), "compose/monitoring.yaml"],
    }


def _service(profile: Profile, engine: str) -> str:
    return f"{profile.name}-{engine}"


def _volume(profile: Profile) -> str:
    return f"{profile.name}-cache"


def _router(profile: Profile, each: Builds) -> dict[str, Any]:
    body = profile.served
    own = {
        "POLYDRAFT_HOST": "0.0.0.0",  # noqa: S104 the container's own network
        "POLYDRAFT_PORT": str(ROUTER_PORT),
        "POLYDRAFT_WITHOUT_KEYS": "anywhere",  # the port is published on loopback alone
        "POLYDRAFT_PLANNED_MEMORY_GIB": memory.planned(profile),
    }
    services = {lane.name: _service(profile, body.engine_of(lane.name).name) for lane in body.lanes}
    upstreams = {lane: f"http://{service}:{ENGINE_PORT}" for lane, service in services.items()}
    first, *rest = dict.fromkeys(services.values())
    return {
        "profiles": [profile.name],
        **_image("router", profile, "images/router/Dockerfile", each.router),
        "environment": _literal(own | profile.router_environment(upstreams)),
        **_known_as(ROUTER_ALIAS),
        "ports": [f"127.0.0.1:${{POLYDRAFT_PORT:-{ROUTER_PORT}}}:{ROUTER_PORT}"],
        # One engine is enough to serve; the others join as they come up.
        "depends_on": {first: _when("healthy")} | {service: _when("started") for service in rest},
        "healthcheck": _healthcheck(["python", "-m", "serve.probe", str(ROUTER_PORT)], "1m"),
        "restart": "on-failure:5",
        "stop_grace_period": "40s",  # drain_timeout, and some
        **_confined("10001:10001"),
        "pids_limit": 256,
        "mem_limit": ROUTER_MEMORY,
        "logging": _logging(),
    }


def _plan(profile: Profile, each: Builds) -> dict[str, Any]:
    """Give the service that holds the engines against the free memory, and ends: no engine starts if it fails."""
    urls = {engine.name: f"http://{_service(profile, engine.name)}:{ENGINE_PORT}" for engine in profile.served.engines}
    return {
        "profiles": [profile.name],
        **_image("router", profile, "images/router/Dockerfile", each.router),
        "command": [
            "plan",
            profile.name,
            *(word for name, url in urls.items() for word in ("--engine", f"{name}={url}")),
        ],
        "healthcheck": {"disable": True},
        "restart": "no",
        **_confined("10001:10001"),
        "pids_limit": 256,
        **_devices(profile, "utility"),  # brings nvidia-smi
        "logging": _logging(),
    }


def _engine(profile: Profile, each: Builds, engine: str, before: str) -> dict[str, Any]:
    address = Address("0.0.0.0", ENGINE_PORT)  # noqa: S104 the container's own network; no port is published
    return {
        "profiles": [profile.name],
        **_engine_image(profile, each),
        "command": [_escaped(word) for word in engine_args(profile, engine, address)],
        "environment": {**_literal(engine_environment(profile)), **_token(profile)},
        "depends_on": {_service(profile, before): _when("completed_successfully" if before == "plan" else "healthy")},
        **_known_as(ENGINE_ALIAS),
        "healthcheck": _healthcheck(["python3", "-c", _ENGINE_PROBE], LOAD_TIME),
        "restart": ENGINE_RESTARTS,
        "stop_grace_period": "60s",
        **_confined("2000:0", "/tmp:exec,mode=1777"),  # noqa: S108 a path in the container; compilers run what is there
        **_limits(profile, engine),
        "shm_size": "8gb" if profile.host.tensor_parallel_size > 1 else "1gb",
        "volumes": [f"{_volume(profile)}:/cache"],
        **_devices(profile),
        "logging": _logging(),
    }


def _engine_image(profile: Profile, each: Builds) -> dict[str, Any]:
    if profile.host.accelerator == "cpu":
        return _image("engine-cpu", profile, "images/engine/cpu.Dockerfile", each.engine_cpu)
    return _image("engine", profile, "images/engine/Dockerfile", each.engine)


def _image(kind: str, profile: Profile, dockerfile: str, arguments: dict[str, str]) -> dict[str, Any]:
    # A copy: YAML would write a shared dictionary as an anchor.
    build = {"context": "..", "dockerfile": dockerfile, "args": dict(arguments)}
    return {"image": f"polydraft-{kind}:{profile.name}", "build": build}


def _token(profile: Profile) -> dict[str, None]:
    """Pass on the hub's token from the shell or .env, if it is there; the demo's models are in the image."""
    return {} if profile.host.accelerator == "cpu" else {"HF_TOKEN": None}


def _limits(profile: Profile, engine: str) -> dict[str, Any]:
    """If memory runs out after all, the engine goes and not the machine; no swap, which unified memory chokes on."""
    limits: dict[str, Any] = {"oom_score_adj": 500, "pids_limit": 8192}
    if profile.host.tensor_parallel_size > 1:
        limits["ulimits"] = {"memlock": -1}  # NCCL pins what ranks exchange
    cap = profile.engine_cap(engine)
    return limits | ({"mem_limit": f"{cap}g", "memswap_limit": f"{cap}g"} if cap else {})


def _devices(profile: Profile, *capabilities: str) -> dict[str, Any]:
    if profile.host.accelerator == "cpu":
        return {}
    device = {"driver": "nvidia", "count": profile.host.gpus, "capabilities": ["gpu", *capabilities]}
    return {"deploy": {"resources": {"reservations": {"devices": [device]}}}}


def _known_as(alias: str) -> dict[str, Any]:
    return {"networks": {"default": {"aliases": [alias]}}}


def _confined(user: str, scratch: str = "/tmp") -> dict[str, Any]:  # noqa: S108 a path in the container
    return {
        "init": True,
        "read_only": True,
        "tmpfs": [scratch],
        "user": user,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _when(condition: str) -> dict[str, str]:
    return {"condition": f"service_{condition}"}


_ENGINE_PROBE = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{ENGINE_PORT}/health', timeout=4)"


def _healthcheck(command: list[str], start_period: str) -> dict[str, Any]:
    return {"test": ["CMD", *command], "start_period": start_period, "interval": "10s", "timeout": "5s", "retries": 6}


def _logging() -> dict[str, Any]:
    return {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


def _literal(environment: dict[str, str]) -> dict[str, str]:
    return {name: _escaped(value) for name, value in environment.items()}


def _escaped(text: str) -> str:
    return text.replace("$", "$$")  # Compose would take it for a variable of the shell's
