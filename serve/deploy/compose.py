"""Renders a profile as a Compose file: the router under the profile's name, and its engines behind it.

Pure: profile in, document out. It must never name a model, a flag or a version: the profile and the pins do. Engines
are reachable from the router alone and come up strictly one after another, since vLLM's memory profiling fails, and on
unified memory takes the machine down, when a neighbour allocates at the same time.
"""

from collections.abc import Mapping
from typing import Any

from serve.deploy import limits, memory, models
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.images import Build, Builds
from serve.deploy.monitoring import ENGINE_ALIAS, ROUTER_ALIAS
from serve.deploy.placement import Placed, placed, serving
from serve.deploy.profile import Profile

ENGINE_PORT = 8000
ROUTER_PORT = 8000

# Loading takes 10 to 15 minutes on a Spark, the first start's download of up to 27 GB not counted. A healthy answer
# ends the period at once: a long one only delays the verdict on an engine that hangs; one that dies is seen directly.
LOAD_TIME = "1h"
ROUTER_MEMORY = "2g"  # it takes 170 MB
# An engine that fails to start will fail again, and each try leaks driver memory on unified memory until a power cycle.
# After a reset of the machine Docker takes this for a failure too and starts it, without the plan: the engine's entry
# point looks at the memory then.
ENGINE_RESTARTS = "on-failure:2"
# Seconds in which a router that is told to stop finishes its answers, where they are a real model's: 8,000 tokens at
# the 27 a second that are the slowest figure of the profiles. Engines get them too (shutdown-timeout).
DRAIN = 300
SCRATCH = "/tmp"  # noqa: S108 a path in the container


def compose_file(profile: Profile, each: Builds) -> dict[str, Any]:
    """Return the Compose document of a profile."""
    engines = placed(profile)
    services: dict[str, Any] = {profile.name: _router(profile, each)} | _prepared(profile, each, profile.name)
    for before, engine in zip([None, *engines], engines, strict=False):
        services[_service(profile, engine.name)] = _engine(profile, each, engine, _after(profile, before))
    for box in range(2, profile.host.boxes + 1):
        services |= _further_box(profile, each, box)
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
    upstreams = {lane.name: _upstreams(profile, lane.name) for lane in profile.served.lanes}
    own = {
        "POLYDRAFT_HOST": "0.0.0.0",  # noqa: S104 the container's own network
        "POLYDRAFT_PORT": str(ROUTER_PORT),
        "POLYDRAFT_WITHOUT_KEYS": "anywhere",  # the port is published on loopback alone
        "POLYDRAFT_PLANNED_MEMORY_GIB": memory.planned(profile, upstreams),
        **({"POLYDRAFT_DRAIN_TIMEOUT": str(DRAIN)} if _long(profile) else {}),
    }
    further = [further_box(number) for number in range(2, profile.host.boxes + 1)]
    return {
        "profiles": [profile.name],
        **_image(each.router),
        "environment": _literal(own | profile.router_environment(upstreams)),
        **_known_as(ROUTER_ALIAS),
        "ports": [f"127.0.0.1:${{POLYDRAFT_PORT:-{ROUTER_PORT}}}:{ROUTER_PORT}"],
        **({"extra_hosts": [f"{name}:${{{variable(name)}:-127.0.0.1}}" for name in further]} if further else {}),
        "depends_on": _before_router(profile),
        "healthcheck": _healthcheck(["python", "-m", "serve.probe", str(ROUTER_PORT)], "1m"),
        "restart": "unless-stopped",  # it holds no GPU
        "stop_grace_period": f"{DRAIN + 10}s" if _long(profile) else "40s",  # drain_timeout, and some
        **_confined("10001:10001"),
        "pids_limit": 256,
        "mem_limit": ROUTER_MEMORY,
        "logging": _logging(),
    }


def _upstreams(profile: Profile, lane: str) -> str | tuple[str, ...]:
    """Give the base URL of a lane's engine, or those of its engines, on other boxes too."""
    here = [_service(profile, each.name) for each in serving(profile, lane)]
    urls = [f"http://{service}:{ENGINE_PORT}" for service in here]
    port = profile.engine_port(profile.served.engine_of(lane).name)
    urls += [f"http://{further_box(number)}:{port}" for number in range(2, profile.host.boxes + 1)]
    return urls[0] if len(urls) == 1 else tuple(urls)


def further_box(number: int) -> str:
    """Name a further box, as the router calls it; its address is in the variable of that name."""
    return f"box-{number}"


def variable(box: str) -> str:
    """Name the variable of the shell's, or of .env, that holds the address of a further box."""
    return box.upper().replace("-", "_")


def _before_router(profile: Profile) -> dict[str, Any]:
    """One engine is enough to serve; the others join as they come up. A copy that doesn't come up is no obstacle."""
    first, *rest = [_service(profile, each.name) for each in placed(profile)]
    if profile.copies > 1:
        return {service: _when("started", required=False) for service in (first, *rest)}
    return {first: _when("healthy")} | {service: _when("started") for service in rest}


def _after(profile: Profile, before: Placed | None) -> dict[str, Any]:
    """Say what an engine waits for: the plan, and the engine before it, whatever becomes of that if it is a copy."""
    plan = {_service(profile, "plan"): _when("completed_successfully")}
    if before is None:
        return plan
    if profile.copies == 1:
        return {_service(profile, before.name): _when("healthy")}
    return plan | {_service(profile, before.name): _when("healthy", required=False)}


def _further_box(profile: Profile, each: Builds, number: int) -> dict[str, Any]:
    """Give what runs on a further box: its own plan, and the engine, published to the router's box at its address."""
    (engine,) = placed(profile)
    name = f"{profile.name}-{further_box(number)}"
    address = f"${{{variable(further_box(number))}:-127.0.0.1}}"
    prepared = _prepared(profile, each, name)
    prepared[f"{name}-plan"]["command"] = _plan_command(profile, {engine.name: name})
    ports = [f"{address}:{profile.engine_port(engine.engine.name)}:{ENGINE_PORT}"]
    runs = _engine(profile, each, engine, {f"{name}-plan": _when("completed_successfully")})
    return prepared | {name: runs | {"profiles": [name], "ports": ports}}


def _prepared(profile: Profile, each: Builds, name: str) -> dict[str, Any]:
    """Give what ends before a box's engines start: the download, where there is one, and the plan.

    Memory that was free an hour ago says nothing, so the plan comes after the download.
    """
    plan = {"profiles": [name], **_plan(profile, each)}
    if profile.host.accelerator == "cpu":
        return {f"{name}-plan": plan}
    plan["depends_on"] = {f"{name}-download": _when("completed_successfully")}
    return {f"{name}-download": {"profiles": [name], **_download(profile, each)}, f"{name}-plan": plan}


def _download(profile: Profile, each: Builds) -> dict[str, Any]:
    """Give the service that fetches the models into the cache, and ends: it needs no GPU."""
    return {
        **_engine_image(profile, each),
        "entrypoint": ["python3", "/opt/polydraft/models.py"],
        "command": models.download(profile.served),
        "environment": {"NVIDIA_VISIBLE_DEVICES": "void", "HF_TOKEN": None},
        "healthcheck": {"disable": True},
        "restart": "on-failure:5",  # what has come stays, and the next try goes on from there
        **_confined("2000:0"),
        "pids_limit": 256,
        "mem_limit": "8g",
        "volumes": [f"{_volume(profile)}:/cache"],
        "logging": _logging(),
    }


def _plan(profile: Profile, each: Builds) -> dict[str, Any]:
    """Give the service that holds the engines against the free memory, and ends: no engine starts if it fails."""
    services = {engine.name: _service(profile, engine.name) for engine in placed(profile)}
    return {
        **_image(each.router),
        "command": _plan_command(profile, services),
        "healthcheck": {"disable": True},
        "restart": "no",
        **_confined("10001:10001"),
        "pids_limit": 256,
        "mem_limit": "512m",
        **_devices(profile, "utility"),  # brings nvidia-smi
        "logging": _logging(),
    }


def _plan_command(profile: Profile, services: Mapping[str, str]) -> list[str]:
    """Write the plan's command, given the service of each engine, which may run already."""
    engines = [f"{name}=http://{service}:{ENGINE_PORT}" for name, service in services.items()]
    return ["plan", profile.name, *(word for engine in engines for word in ("--engine", engine))]


def _engine(profile: Profile, each: Builds, engine: Placed, after: dict[str, Any]) -> dict[str, Any]:
    address = Address("0.0.0.0", ENGINE_PORT)  # noqa: S104 the container's own network; no port is published
    return {
        "profiles": [profile.name],
        **_engine_image(profile, each),
        "command": [_escaped(word) for word in engine_args(profile, engine.engine.name, address)],
        "environment": {**_literal(_engine_environment(profile, engine.engine.name)), **_secrets(profile)},
        "depends_on": after,
        **_known_as(ENGINE_ALIAS),
        "healthcheck": _healthcheck(["python3", "-c", _ENGINE_PROBE], LOAD_TIME),
        "restart": _restarts(profile),
        "stop_grace_period": f"{DRAIN + 30}s" if _long(profile) else "60s",
        **_confined("2000:0", f"{SCRATCH}:exec,mode=1777,size=4g"),  # compilers run what is there
        **_limits(profile, engine.engine.name),
        "shm_size": "8gb" if profile.host.tensor_parallel_size > 1 else "1gb",
        "volumes": [f"{_volume(profile)}:/cache"],
        **_devices(profile, gpus=engine.gpus),
        "logging": _logging(),
    }


def _engine_environment(profile: Profile, engine: str) -> dict[str, str]:
    return engine_environment(profile) | limits.start_environment(profile, engine)


def _restarts(profile: Profile) -> str:
    """Engines that Docker starts at once would each find the same memory free, so on unified memory only one may be."""
    return "no" if profile.host.unified_memory and len(placed(profile)) > 1 else ENGINE_RESTARTS


def _long(profile: Profile) -> bool:
    """Say whether answers may take minutes: the demo's don't."""
    return profile.host.accelerator != "cpu"


def _engine_image(profile: Profile, each: Builds) -> dict[str, Any]:
    return _image(each.engine_cpu if profile.host.accelerator == "cpu" else each.engine)


def _image(build: Build) -> dict[str, Any]:
    # A copy: YAML would write a shared dictionary as an anchor.
    how = {"context": "..", "dockerfile": build.dockerfile, "args": dict(build.arguments)}
    return {"image": build.image, "build": how}


def _secrets(profile: Profile) -> dict[str, None]:
    """Pass on the hub's token from the shell or .env, if it is there, and the key that engines on a network ask for.

    The demo's models are in the image.
    """
    keys = ["HF_TOKEN"] if profile.host.accelerator != "cpu" else []
    return dict.fromkeys(keys + (["VLLM_API_KEY"] if profile.host.boxes > 1 else []))


def _limits(profile: Profile, engine: str) -> dict[str, Any]:
    """If memory runs out after all, the engine goes and not the machine; no swap, which unified memory chokes on."""
    own: dict[str, Any] = {"oom_score_adj": 500, "pids_limit": 8192}
    if profile.host.tensor_parallel_size > 1:
        own["ulimits"] = {"memlock": -1}  # NCCL pins what ranks exchange
    cap = limits.cap_gib(profile, engine)
    return own | ({"mem_limit": f"{cap}g", "memswap_limit": f"{cap}g"} if cap else {})


def _devices(profile: Profile, *capabilities: str, gpus: tuple[int, ...] = ()) -> dict[str, Any]:
    """Ask for the box's GPUs, or for those of these indices, which are nvidia-smi's."""
    if profile.host.accelerator == "cpu":
        return {}
    which = {"device_ids": [str(index) for index in gpus]} if gpus else {"count": profile.host.gpus}
    device = {"driver": "nvidia", **which, "capabilities": ["gpu", *capabilities]}
    return {"deploy": {"resources": {"reservations": {"devices": [device]}}}}


def _known_as(alias: str) -> dict[str, Any]:
    return {"networks": {"default": {"aliases": [alias]}}}


def _confined(user: str, scratch: str = f"{SCRATCH}:size=256m") -> dict[str, Any]:
    return {
        "init": True,
        "read_only": True,
        "tmpfs": [scratch],
        "user": user,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
    }


def _when(condition: str, *, required: bool = True) -> dict[str, Any]:
    return {"condition": f"service_{condition}", **({} if required else {"required": False})}


_ENGINE_PROBE = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{ENGINE_PORT}/health', timeout=4)"


def _healthcheck(command: list[str], start_period: str) -> dict[str, Any]:
    return {"test": ["CMD", *command], "start_period": start_period, "interval": "10s", "timeout": "5s", "retries": 6}


def _logging() -> dict[str, Any]:
    return {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


def _literal(environment: dict[str, str]) -> dict[str, str]:
    return {name: _escaped(value) for name, value in environment.items()}


def _escaped(text: str) -> str:
    return text.replace("$", "$$")  # Compose would take it for a variable of the shell's
