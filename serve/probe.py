"""Asks the router of this container whether it is ready, over TLS where it speaks nothing else: for health checks.

Run as `python -m serve.probe PORT`; ends with 0 if it is. It runs every ten seconds, so it imports nothing of the rest.
"""

import http.client
import ssl
import sys

_LIMIT = 2.0
"""Seconds that each of the two tries may take."""


def ready(port: int) -> bool:
    """Tell whether the router on this port of the machine itself is ready."""
    # Its certificate names the box, not this address, and nobody stands between.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    tries = (
        http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT),
        http.client.HTTPSConnection("127.0.0.1", port, timeout=_LIMIT, context=context),
    )
    for connection in tries:
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return False


if __name__ == "__main__":
    sys.exit(0 if ready(int(sys.argv[1])) else 1)
