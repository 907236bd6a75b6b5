"""Renders a profile as values for the Helm chart in k8s/chart: one box is one pod of engines, and a router before it.

Pure: profile in, document out. All lanes' engines share the accelerators of one box, which Kubernetes can't hand to two
pods, so they are containers of one pod, in the order in which they start. It must never name a model, a flag or a
version; those come from the profile.
"""

import math
from typing import Any

from serve.deploy.body import Engine
from serve.deploy.engine_args import Address, engine_args, engine_environment
from serve.deploy.profile import Profile

ROUTER_PORT = 8000


def helm_values(profile: Profile) -> dict[str, Any]:
    """Return the chart's values for a profile that has a GPU."""
    own = {"POLYDRAFT_HOST": "0.0.0.0", "POLYDRAFT_PORT": str(ROUTER_PORT)}  # noqa: S104 the pod's own network
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
            "environment": engine_environment(profile),
            "processes": [_process(profile, engine, first=engine == body.engines[0]) for engine in body.engines],
        },
    }


def _process(profile: Profile, engine: Engine, *, first: bool) -> dict[str, Any]:
    """The first engine's container holds the box's GPUs for the pod; the runtime shows the others the same ones."""
    port = profile.engine_port(engine.name)
    resources = _memory(profile, engine)
    if first:
        resources.setdefault("limits", {})["nvidia.com/gpu"] = profile.host.gpus
    args = engine_args(profile, engine.name, Address("0.0.0.0", port))  # noqa: S104 the pod's own network
    return {"name": engine.name, "port": port, "args": args, "sharesDevices": not first, "resources": resources}


def _memory(profile: Profile, engine: Engine) -> dict[str, Any]:
    """Where the GPU's memory is the pod's, ask for what the engine is planned to hold, cap it at what others leave."""
    cap = profile.engine_cap(engine.name)
    if cap is None:
        return {}
    planned = math.ceil(profile.engine_gib(profile.served, engine))
    return {"requests": {"memory": f"{planned}Gi"}, "limits": {"memory": f"{cap}Gi"}}
