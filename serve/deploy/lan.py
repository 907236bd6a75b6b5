"""Renders the Compose override that opens every profile's router to a network, to those who have a key.

Pure: names in, text out. It must never open a router without asking for keys: both come in this one file.
"""

from collections.abc import Sequence

from serve.deploy.compose import ROUTER_PORT

_TARGET = "/run/secrets/keys"
# YAML's writer knows neither of the tags that Compose takes values away by.
_ROUTER = f"""\
  {{name}}:
    environment:
      POLYDRAFT_WITHOUT_KEYS: !reset null
      POLYDRAFT_KEYS_FILE: {_TARGET}
      POLYDRAFT_OPEN_METRICS: ${{{{POLYDRAFT_OPEN_METRICS:-false}}}}
    secrets: [keys]
    ports: !override ["${{{{LISTEN_ADDRESS:-0.0.0.0}}}}:${{{{POLYDRAFT_PORT:-{ROUTER_PORT}}}}}:{ROUTER_PORT}"]
"""


def lan_file(profiles: Sequence[str]) -> str:
    """Return the override for the routers of these profiles; the file `keys` lies beside compose.yaml."""
    routers = "".join(_ROUTER.format(name=name) for name in profiles)
    return f"services:\n{routers}secrets:\n  keys: {{file: ./keys}}\n"
