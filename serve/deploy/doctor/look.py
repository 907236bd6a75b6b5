"""Reads all of this machine that the checks of a profile look at; judges nothing, changes nothing."""

from dataclasses import replace

from serve.deploy.doctor import examine, host
from serve.deploy.profile import Profile
from serve.deploy.reading import Reading, ask, free_disk, port_taken, take


async def look(profile: Profile, port: int, token: str) -> Reading:
    """Read it, with `port` as the router's and `token` for the model hub (empty for none)."""
    reading = take(examine.files(profile), examine.commands(profile))
    # With a GPU engines run in containers, whose ports nobody else sees.
    engines = [profile.engine_port(engine.name) for engine in profile.served.engines] if not profile.host.gpu else []
    urls = list(host.hub_models(profile).values())
    folder = host.information(reading).get("DockerRootDir")
    return replace(
        reading,
        ports={number: port_taken(number) for number in [port, *engines]},
        disks={folder: free_disk(folder)} if folder else {},
        answers=await ask([*urls, host.WHO] if token else urls, token) if urls else {},
    )
