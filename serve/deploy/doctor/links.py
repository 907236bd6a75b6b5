"""Checks of what lies between several GPUs: IOMMU, ACS, and whether an all-reduce over two of them ends. Pure."""

import re

from serve.deploy.doctor.finding import Finding, fail, ok, unknown, warn
from serve.deploy.profile import Profile
from serve.deploy.reading import NOT_THERE, TOO_SLOW, Reading

GROUPS = "/sys/kernel/iommu_groups/*/type"
BRIDGES = "lspci -vv"
ALL_REDUCE = "all-reduce"
"""The key of a trial's result in a reading; what was added to the profile's environment stands behind it."""

TRIALS: tuple[dict[str, str], ...] = (
    {},
    {"NCCL_P2P_DISABLE": "1"},
    {"NCCL_P2P_DISABLE": "1", "NCCL_SHM_DISABLE": "1"},
)
"""What is added to the profile's environment, one trial after another until one ends: no memory of a peer's, and then
none that the ranks share either."""

_HOST = "or have the host's owner turn off the IOMMU's translation (iommu=pt) and ACS, which weakens its isolation"


def p2p(profile: Profile) -> bool:
    """Tell whether the profile lets GPUs reach each other's memory."""
    stated = profile.env.get("NCCL_P2P_DISABLE")
    return stated is None or stated.value != "1"


def iommu(profile: Profile, reading: Reading) -> Finding:
    """Check whether the IOMMU translates: peers' transfers over PCIe then hang in NCCL's first collective."""
    types = [text.strip() for path, text in reading.files.items() if path.startswith("/sys/kernel/iommu_groups/")]
    translated = sum(kind.startswith("DMA") for kind in types)
    if not translated:
        return ok("iommu", "passes through" if types else "off")
    found = f"translates for {translated} of {len(types)} groups"
    if p2p(profile):
        return warn("iommu", found, f"set NCCL_P2P_DISABLE=1 in the profile, {_HOST}")
    return ok("iommu", f"{found}; harmless, since the profile sets NCCL_P2P_DISABLE=1")


def acs(profile: Profile, reading: Reading) -> Finding:
    """Check whether bridges send peers' transfers up to the root, where the same happens."""
    printed = reading.printed(BRIDGES)
    if printed.code == NOT_THERE:
        return unknown("acs", "lspci isn't installed", "install pciutils")
    bridges = re.findall(r"^(\S+) .*bridge.*\n((?:[ \t].*\n?)*)", printed.text, re.MULTILINE)
    redirecting = [address for address, text in bridges if re.search(r"ACSCtl:.*(ReqRedir|CmpltRedir)\+", text)]
    if not redirecting and "<access denied>" in printed.text:
        return unknown("acs", "only root sees it", "run: sudo lspci -vv | grep ACSCtl")
    if not redirecting:
        return ok("acs", "no bridge redirects")
    found = f"{len(redirecting)} bridges redirect ({', '.join(redirecting[:4])}{', ...' if redirecting[4:] else ''})"
    if p2p(profile):
        return warn("acs", found, f"set NCCL_P2P_DISABLE=1 in the profile, {_HOST}")
    return ok("acs", f"{found}; harmless, since the profile sets NCCL_P2P_DISABLE=1")


def all_reduce(profile: Profile, reading: Reading) -> Finding:
    """Say what two ranks' all-reduce did under the profile's environment, and which other environment it needs."""
    first, *rest = [reading.commands.get(key(trial)) for trial in TRIALS]
    if first is None:
        return unknown("all-reduce", "not tried", "try it with --all-reduce, once the engine's image is built")
    if not first.code:
        return ok("all-reduce", first.text.strip().splitlines()[-1])
    if first.code != TOO_SLOW:
        said = (first.text.strip().splitlines() or ["it says nothing"])[-1]
        return fail("all-reduce", f"broke: {said}", "mend that first: no collective was tried")
    for trial, printed in zip(TRIALS[1:], rest, strict=True):
        if printed is not None and not printed.code:
            names = " ".join(f"{name}={value}" for name, value in trial.items())
            return fail(
                "all-reduce",
                f"hangs, and ends with {names}",
                f"set {names} in the profile's env and disable-custom-all-reduce in its flags, {_HOST}",
            )
    stuck = "the GPUs may be stuck from the first hang: restart the machine, set NCCL_P2P_DISABLE=1, try again"
    return fail("all-reduce", "hangs, whatever was tried", stuck)


def key(trial: dict[str, str]) -> str:
    """Return the key in a reading of a trial's result."""
    return " ".join([ALL_REDUCE, *(f"{name}={value}" for name, value in trial.items())])
