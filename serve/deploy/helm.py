"""Renders a profile as values for the Helm chart in k8s/chart: pods of engines, and a router before them.

Pure: profile in, document out. A pod is one copy of the engines. Those that share accelerators have to be containers of
one pod, since Kubernetes can't hand a GPU to two; they are listed in the order in which they start. It must never name
a model, a flag or a version; those come from the profile.
"""

from typing import Any

from serve.deploy import limits, memory, models
from serve.deploy.body import Body, Engine
from serve.deploy.box import Host
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.images import Builds
from serve.deploy.profile import Profile

ROUTER_PORT = 8000

LABELLED = 0.9
"""How much of a card's memory its node's label must exceed. The driver may keep some of it, as with ECC; the next
smaller card of the same compute capability has much less."""


def helm_values(profile: Profile, each: Builds) -> dict[str, Any]:
    """Return the chart's values for a profile that has a GPU."""
    body = profile.served
    upstreams = {lane.name: _upstreams(profile, lane.name) for lane in body.lanes}
    own = {
        "POLYDRAFT_HOST": "0.0.0.0",  # noqa: S104 the pod's own network
        "POLYDRAFT_PORT": str(ROUTER_PORT),
        "POLYDRAFT_PLANNED_MEMORY_GIB": memory.planned(profile, upstreams),
    }
    return {
        "profile": profile.name,
        "router": {
            "image": {"tag": each.router.tag},
            "port": ROUTER_PORT,
            "environment": own | profile.router_environment(upstreams),
        },
        "engine": {
            "image": {"tag": each.engine.tag},
            "sharedMemory": "8Gi" if profile.host.tensor_parallel_size > 1 else "1Gi",
            "computeCapability": profile.host.gpu.compute_capability if profile.host.gpu else "",
            **_gpu_memory(profile.host),
            "models": _models(body),
            "replicas": _replicas(profile),
            "gpus": profile.copy_gpus,
            **({"apart": True} if profile.host.boxes > 1 else {}),
            "environment": engine_environment(profile),
            "processes": [_process(profile, engine, first=engine == body.engines[0]) for engine in body.engines],
        },
    }


def _gpu_memory(host: Host) -> dict[str, int]:
    """Say how many MiB a node's label must exceed; there is none where the system shares the memory."""
    if host.memory is None or host.unified_memory:
        return {}
    return {"gpuMemoryMiB": int(host.memory.total_gib * 1024 * LABELLED)}


def _replicas(profile: Profile) -> int:
    return profile.copies * profile.host.boxes


def _upstreams(profile: Profile, lane: str) -> str | tuple[str, ...]:
    """Give the base URL of a lane's engine in each pod, which has a name of its own in the headless Service."""
    service = f"{profile.name}-engines"
    port = profile.engine_port(profile.served.engine_of(lane).name)
    urls = [f"http://{service}-{pod}.{service}:{port}" for pod in range(_replicas(profile))]
    return urls[0] if len(urls) == 1 else tuple(urls)


def _models(body: Body) -> list[dict[str, str]]:
    """List the body and its drafters as the model hub knows them, each at its commit once that is pinned."""
    wanted = models.wanted(body)
    return [{"model": model, **({"revision": commit} if commit else {})} for model, commit in wanted.items()]


def _process(profile: Profile, engine: Engine, *, first: bool) -> dict[str, Any]:
    """The first engine's container holds the box's GPUs for the pod; the runtime shows the others all of the node's.

    So the chart asks for a node that has no more. Where every engine has GPUs of its own, each container asks for them.
    """
    port = profile.engine_port(engine.name)
    resources = _asked(profile, engine)
    holds = first or profile.host.replicas
    if holds:
        gpus = profile.host.tensor_parallel_size if profile.host.replicas else profile.host.gpus
        resources.setdefault("limits", {})["nvidia.com/gpu"] = gpus
    args = engine_args(profile, engine.name, Address("0.0.0.0", port))  # noqa: S104 the pod's own network
    start = limits.start_environment(profile, engine.name)
    return {
        "name": engine.name,
        "port": port,
        "args": args,
        **({"environment": start} if start else {}),
        "sharesDevices": not holds,
        "resources": resources,
    }


def _asked(profile: Profile, engine: Engine) -> dict[str, Any]:
    """Ask for a core a rank and one for the server, and for memory where it is planned or stated."""
    requests = {"cpu": str(profile.host.tensor_parallel_size + 1)}
    asked, cap = limits.request_gib(profile, engine.name), limits.cap_gib(profile, engine.name)
    if asked is None or cap is None:
        return {"requests": requests}
    return {"requests": {**requests, "memory": f"{asked}Gi"}, "limits": {"memory": f"{cap}Gi"}}
