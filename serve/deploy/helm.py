"""Renders a profile as values for the Helm chart in k8s/chart: one box is one pod of engines, and a router before it.

Pure: profile in, document out. All lanes' engines share the accelerators of one box, which Kubernetes can't hand to two
pods, so they are containers of one pod, in the order in which they start. It must never name a model, a flag or a
version; those come from the profile.
"""

import math
from typing import Any

from serve.deploy import memory
from serve.deploy.body import Body, Engine
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.pins import UNRESOLVED
from serve.deploy.profile import Profile

ROUTER_PORT = 8000


def helm_values(profile: Profile) -> dict[str, Any]:
    """Return the chart's values for a profile that has a GPU."""
    own = {
        "POLYDRAFT_HOST": "0.0.0.0",  # noqa: S104 the pod's own network
        "POLYDRAFT_PORT": str(ROUTER_PORT),
        "POLYDRAFT_PLANNED_MEMORY_GIB": memory.planned(profile),
    }
    body = profile.served
    ports = {lane.name: profile.engine_port(body.engine_of(lane.name).name) for lane in body.lanes}
    upstreams = {lane: f"http://{profile.name}-engines:{port}" for lane, port in ports.items()}
    return {
        "profile": profile.name,
        "router": {
            "image": {"tag": profile.name},
            "port": ROUTER_PORT,
            "environment": own | profile.router_environment(upstreams),
        },
        "engine": {
            "image": {"tag": profile.name},
            "sharedMemory": "8Gi" if profile.host.tensor_parallel_size > 1 else "1Gi",
            "computeCapability": profile.host.gpu.compute_capability if profile.host.gpu else "",
            "models": _models(body),
            "environment": engine_environment(profile),
            "processes": [_process(profile, engine, first=engine == body.engines[0]) for engine in body.engines],
        },
    }


def _models(body: Body) -> list[dict[str, str]]:
    """List the body and its drafters as the model hub knows them, each at its commit once that is pinned."""
    drafters = [lane.speculative_config for lane in body.lanes if lane.speculative_config]
    wanted = {body.model: body.revision} | {drafter.model: drafter.revision for drafter in drafters}
    pinned = {model: {"revision": commit} if commit != UNRESOLVED else {} for model, commit in wanted.items()}
    return [{"model": model, **at} for model, at in pinned.items()]


def _process(profile: Profile, engine: Engine, *, first: bool) -> dict[str, Any]:
    """The first engine's container holds the box's GPUs for the pod; the runtime shows the others the same ones."""
    port = profile.engine_port(engine.name)
    resources = _asked(profile, engine)
    if first:
        resources.setdefault("limits", {})["nvidia.com/gpu"] = profile.host.gpus
    args = engine_args(profile, engine.name, Address("0.0.0.0", port))  # noqa: S104 the pod's own network
    return {"name": engine.name, "port": port, "args": args, "sharesDevices": not first, "resources": resources}


def _asked(profile: Profile, engine: Engine) -> dict[str, Any]:
    """Ask for a core a rank and one for the server. Where the GPU's memory is the pod's, ask for what is planned too.

    The cap is then what others leave; elsewhere nobody has measured what an engine takes of the system's memory.
    """
    requests = {"cpu": str(profile.host.tensor_parallel_size + 1)}
    cap = profile.engine_cap(engine.name)
    if cap is None:
        return {"requests": requests}
    planned = math.ceil(profile.engine_gib(profile.served, engine))
    return {"requests": {**requests, "memory": f"{planned}Gi"}, "limits": {"memory": f"{cap}Gi"}}
