"""Counts what relays ask of the kernel, with strace: a figure that other work on the machine leaves alone.

strace slows a relay down several times, so more has come by each of its reads than otherwise: of streams these are the
fewest calls that it gets by with.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import uvloop

from tests.bench.relay.load import Scenario, drive
from tests.bench.relay.peers import Peer

_ATTACHES = 0.5
"""Seconds that strace takes to attach."""


def missing() -> str | None:
    """Say why nothing can be counted, if so."""
    return None if shutil.which("strace") else "syscalls aren't counted: apt-get install strace"


def counted(peer: Peer, scenario: Scenario, sent: Iterator[bytes], seconds: float) -> float:
    """Load a relay and give its system calls a chunk, or a request where answers are whole."""
    attach = [option for pid in peer.pids() for option in ("-p", str(pid))]
    with subprocess.Popen(["strace", "-c", "-f", *attach], stderr=subprocess.PIPE, text=True) as strace:
        time.sleep(_ATTACHES)
        tally = uvloop.run(drive(peer.port, scenario, sent, seconds))
        strace.send_signal(signal.SIGINT)
        _, summary = strace.communicate()
    totals = [line.split() for line in summary.splitlines() if line.endswith(" total")]
    if not totals:
        sys.stderr.write(f"{peer.name}: strace counted nothing ({summary.strip()[:200]})\n")
        return 0
    return int(totals[0][3 if len(totals[0]) > 4 else 2]) / (tally.chunks or tally.requests)
