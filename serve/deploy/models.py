"""What an engine needs of the model hub: the served body and its drafters, and which of them float.

Pure: profile in, names out. It must never fetch anything.
"""

from serve.deploy.body import Body
from serve.deploy.pins import UNRESOLVED

_LOCAL = "local"


def wanted(body: Body) -> dict[str, str | None]:
    """Return the hub's models, each with the commit at which it is pinned, None if it isn't yet."""
    drafters = [lane.speculative_config for lane in body.lanes if lane.speculative_config]
    found = {body.model: body.revision} | {drafter.model: drafter.revision for drafter in drafters}
    return {model: None if at == UNRESOLVED else at for model, at in found.items() if at != _LOCAL}


def unpinned(body: Body) -> list[str]:
    """Return the models that are whatever the hub has under their names today."""
    return [model for model, commit in wanted(body).items() if commit is None]


def download(body: Body) -> list[str]:
    """Return the arguments of images/engine/models.py that fetch what isn't in the cache yet."""
    return ["fetch", *(f"{model}@{commit}" if commit else model for model, commit in wanted(body).items())]
