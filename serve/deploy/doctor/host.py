"""Checks of the machine around the GPUs: memory, kernel, disk, port, Docker, the model hub. Pure."""

import json
import re
from typing import Any

from serve.deploy import memory
from serve.deploy.doctor.cards import TENANTS, known_kernel, tenants
from serve.deploy.doctor.finding import Finding, fail, ok, unknown, warn
from serve.deploy.machine import ram
from serve.deploy.profile import Profile
from serve.deploy.reading import NOT_THERE, Reading
from serve.errors import ConfigError

SWAPS = "/proc/swaps"
KERNEL = "/proc/sys/kernel/osrelease"
PROCESSES = "ps -eo rss=,comm="
DOCKER = "docker info --format '{{json .}}'"
COMPOSE = "docker compose version --short"
VOLUMES = "docker volume ls --format '{{.Name}}'"
TOOLKIT = "nvidia-ctk --version"
HUB = "https://huggingface.co"
WHO = f"{HUB}/api/whoami-v2"

_LARGE = 1.0
"""GiB from which on a process is named as another tenant of the memory."""
_OLDEST_COMPOSE = (2, 20, 3)
_SHUT = (28, 3, 3)
"""Docker Engine from which on nobody else reaches what is published on 127.0.0.1: before 28.0 neighbours on the network
could (moby#45610), and before 28.3.3 again once firewalld was reloaded (CVE-2025-54388)."""
"""The first that takes `include`."""


def fits(profile: Profile, reading: Reading) -> Finding:
    """Check the memory plan against what is free now."""
    try:
        made = memory.plan(profile, memory.free(profile, reading))
    except ConfigError as error:
        return unknown("memory", str(error), "see gpus")
    if made.problem:
        return fail("memory", f"{made.problem} ({made.pool.source})", made.fix)
    return ok("memory", f"{made.peak:.1f} GiB at most, of {made.offered:.1f} GiB that may be held ({made.pool.source})")


def others(profile: Profile, reading: Reading) -> Finding:
    """Name who else holds the memory that the engines need; whether it is too much says `fits`."""
    pooled = profile.host.unified_memory or profile.host.gpu is None
    found = _processes(reading) if pooled else []
    if profile.host.gpu is not None:
        if reading.printed(TENANTS).code:
            return unknown("other tenants", "nvidia-smi doesn't say who uses the GPU", "see gpus")
        found += tenants(reading)
    held: dict[str, float] = {}
    for name, gib in found:
        held[name] = held.get(name, 0.0) + gib
    large = sorted(((name, gib) for name, gib in held.items() if gib >= _LARGE), key=lambda each: -each[1])
    if not large:
        return ok("other tenants", f"none with {_LARGE:.0f} GiB or more")
    listed = ", ".join(f"{name} {gib:.1f} GiB" for name, gib in large[:5])
    hint = "stop them if the memory is needed"
    if any("ollama" in name.lower() for name, _ in large):
        hint += "; Ollama keeps a model until OLLAMA_KEEP_ALIVE has passed: ollama stop MODEL"
    if any(name.startswith("VLLM") for name, _ in large):
        hint += "; an engine runs already, or was left over"
    return warn("other tenants", listed, hint)


def swap(profile: Profile, reading: Reading) -> Finding:
    """Check that a box with unified memory doesn't swap: it then crawls for minutes where it should fail at once."""
    listed = [line.split() for line in reading.files.get(SWAPS, "").splitlines()[1:] if line.strip()]
    size = sum(int(row[2]) for row in listed if len(row) > 2 and row[2].isdigit()) / 2**20
    if SWAPS not in reading.files:
        return unknown("swap", f"{SWAPS} can't be read", "look with swapon --show")
    if size and profile.host.unified_memory:
        return warn("swap", f"{size:.1f} GiB of swap is on", "sudo swapoff -a, and run earlyoom")
    return ok("swap", f"{size:.1f} GiB" if size else "off")


def page_cache(profile: Profile, reading: Reading) -> Finding:
    """Check on unified memory that what starts finds free pages: the driver doesn't wait for the kernel's cache."""
    found = ram(reading)
    if found is None:
        return unknown("page cache", "/proc/meminfo can't be read", "look with free -h")
    cached = found.available - found.free
    try:
        peak = memory.plan(profile, memory.free(profile, reading)).peak
    except ConfigError as error:
        return unknown("page cache", str(error), "see gpus")
    if profile.host.unified_memory and found.free < peak:
        drop = "sync; echo 3 | sudo tee /proc/sys/vm/drop_caches"
        return warn("page cache", f"{cached:.1f} GiB cached, {found.free:.1f} free, {peak:.1f} wanted", drop)
    return ok("page cache", f"{max(cached, 0.0):.1f} GiB, {found.free:.1f} GiB free")


def kernel(profile: Profile, reading: Reading) -> Finding:
    """Check the kernel against those known to be bad on this kind of box."""
    release = reading.files.get(KERNEL, "").strip()
    if not release:
        return unknown("kernel", f"{KERNEL} can't be read", "look with uname -r")
    for bad in known_kernel(profile, release):
        return warn("kernel", f"{release}: {bad.why}", f"start another kernel than {bad.version}")
    return ok("kernel", release)


def port(profile: Profile, reading: Reading) -> Finding:
    """Check that the ports can be had."""
    if not reading.ports:
        return unknown("port", "not tried", "look with ss -ltn")
    taken = [f"{number} ({why})" for number, why in reading.ports.items() if why]
    if taken:
        return fail("port", f"taken: {', '.join(taken)}", "stop what listens there, or choose others")
    return ok("port", ", ".join(map(str, reading.ports)) + (" are free" if len(reading.ports) > 1 else " is free"))


def docker(profile: Profile, reading: Reading) -> Finding:
    """Check that Docker answers, that Compose is new enough, and that containers can have a GPU."""
    printed = reading.printed(DOCKER)
    if printed.code == NOT_THERE:
        return fail("docker", "docker isn't installed", "install Docker Engine with its Compose plugin")
    if printed.code:
        last = (printed.text.strip().splitlines() or ["it says nothing"])[-1]
        allowed = "permission denied" in last
        fix = "add yourself to the group docker, or use sudo" if allowed else "start it: sudo systemctl start docker"
        return fail("docker", last, fix)
    version = reading.printed(COMPOSE)
    if version.code or _numbers(version.text) < _OLDEST_COMPOSE:
        needed = ".".join(map(str, _OLDEST_COMPOSE))
        return fail("docker", f"Compose {version.text.strip() or 'is missing'}", f"install Compose {needed} or newer")
    engine = str(information(reading).get("ServerVersion", "?"))
    found = f"{engine}, Compose {version.text.strip()}"
    if engine[:1].isdigit() and _numbers(engine) < _SHUT:
        needed = ".".join(map(str, _SHUT))
        shut = f"install Docker Engine {needed} or newer, or serve with keys (docs/settings.md)"
        return warn("docker", f"{found}: who shares its network can reach ports published on 127.0.0.1", shut)
    return ok("docker", found)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def toolkit(profile: Profile, reading: Reading) -> Finding:
    """Check that Docker can hand a GPU to a container: NVIDIA's runtime, or its devices by CDI."""
    known = information(reading)
    devices = [str(device.get("ID", "")) for device in known.get("DiscoveredDevices") or []]
    if "nvidia" in (known.get("Runtimes") or {}) or any(device.startswith("nvidia.com/gpu") for device in devices):
        return ok("container toolkit", "Docker knows NVIDIA's GPUs")
    register = "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
    installed = reading.printed(TOOLKIT)
    if installed.code:
        return fail("container toolkit", "isn't installed", f"install nvidia-container-toolkit, then {register}")
    first = installed.text.strip().splitlines()[0]
    if not known:
        return unknown("container toolkit", f"{first}; Docker doesn't answer", "see docker")
    return warn("container toolkit", f"{first}; not registered with Docker", register)


def disk(profile: Profile, reading: Reading) -> Finding:
    """Check that there is room for the weights where they are cached; once there, they aren't fetched again."""
    needed = profile.served.download_gib
    if needed is None:
        return ok("disk", "the models are in this repository")
    if not reading.disks:
        return unknown("disk", "where the weights go isn't known", "see docker")
    folder, free = next(iter(reading.disks.items()))
    found = f"{free:.1f} GiB free in {folder}, the weights are {needed:.1f} GiB"
    if free >= needed:
        return ok("disk", found)
    room = "make room, or move Docker's data-root"
    return warn("disk", f"{found}; a cache is there", room) if cached(profile, reading) else fail("disk", found, room)


def hub(profile: Profile, reading: Reading) -> Finding:
    """Check that the weights can be fetched: the hub answers, and a token is there where one is needed."""
    models = hub_models(profile)
    if not models:
        return ok("model hub", "the models are in this repository")
    if reading.answers.get(WHO) == 401:
        return fail("model hub", "the hub doesn't know this token", "make a new one and set HF_TOKEN")
    statuses = {model: reading.answers.get(url, 0) for model, url in models.items()}
    refused = [model for model, status in statuses.items() if status in (401, 403)]
    if refused:
        allow = "accept its licence on its page and set HF_TOKEN to a token that may read it"
        return fail("model hub", f"refuses {', '.join(refused)}", allow)
    if missing := [model for model, status in statuses.items() if status == 404]:
        return fail("model hub", f"has no {', '.join(missing)}", "correct the model's name or revision")
    silent = [model for model, status in statuses.items() if not 200 <= status < 400]
    if silent:
        found = f"no good answer for {', '.join(silent)} ({statuses[silent[0]] or 'none at all'})"
        reach = "let this machine reach it, or bring the cache from one that does"
        if cached(profile, reading):
            return warn("model hub", f"{found}; a cache is there", reach)
        return fail("model hub", found, reach)
    return ok("model hub", f"has {', '.join(models)}")


def hub_models(profile: Profile) -> dict[str, str]:
    """Return the hub's models that the served body needs, and the URL that tells whether they can be had."""
    body = profile.served
    wanted = {body.model: body.revision} | {
        lane.speculative_config.model: lane.speculative_config.revision
        for lane in body.lanes
        if lane.speculative_config is not None
    }
    return {
        model: f"{HUB}/{model}/resolve/{'main' if revision == 'unresolved' else revision}/config.json"
        for model, revision in wanted.items()
        if revision != "local"
    }


def cached(profile: Profile, reading: Reading) -> bool:
    """Tell whether Compose has made the profile's cache before; what is in it can't be seen from here."""
    return any(name.endswith(f"_{profile.name}-cache") for name in reading.printed(VOLUMES).text.split())


def information(reading: Reading) -> dict[str, Any]:
    """Return what Docker says of itself; nothing if it doesn't answer."""
    printed = reading.printed(DOCKER)
    try:
        known = json.loads(printed.text) if not printed.code else {}
    except ValueError:
        return {}
    return known if isinstance(known, dict) else {}


def _processes(reading: Reading) -> list[tuple[str, float]]:
    """Each process's program and the GiB of memory that it holds; what it has on a GPU isn't among them."""
    lines = re.findall(r"^\s*(\d+) (.+)$", reading.printed(PROCESSES).text, re.MULTILINE)
    return [(name.strip(), int(kib) / 2**20) for kib, name in lines]
