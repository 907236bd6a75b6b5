"""Asks the router of this container whether it is ready, over TLS where it speaks nothing else: for health checks.

Run as `python -m serve.probe PORT`; ends with 0 if it is. With `--alive` any answer will do: a router whose event loop
hangs gives none, though the kernel takes connections for it. It runs often, so it imports nothing of the rest.
"""

import http.client
import ssl
import sys

_LIMIT = 2.0
"""Seconds that each of the two tries may take."""


def ready(port: int) -> bool:
    """Tell whether the router on this port of the machine itself is ready."""
    return _status(port, "/readyz") == 200


def alive(port: int) -> bool:
    """Tell whether the router on this port of the machine itself answers at all, be it that it is full or not ready."""
    return _status(port, "/healthz") is not None


def _status(port: int, path: str) -> int | None:
    # Its certificate names the box, not this address, and nobody stands between.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tries = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT),
        http.client.HTTPSConnection("127.0.0.1", port, timeout=_LIMIT, context=context),
    )
    for connection in tries:
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return None


if __name__ == "__main__":
    asked = alive if "--alive" in sys.argv[2:] else ready
    sys.exit(0 if asked(int(sys.argv[1])) else 1)
