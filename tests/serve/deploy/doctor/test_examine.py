"""Every check against good and bad machines; tests/data/machines holds what those showed."""

import json
from dataclasses import replace

import pytest

from serve.deploy.doctor import examine, host
from serve.deploy.doctor.finding import Finding, Verdict, as_json, go, table
from serve.deploy.reading import CARDS, Printed, Reading
from serve.errors import ConfigError
from tests.serve.deploy.doctor.readings import NAMES, document, load

GOOD = ["cpu-vm", "gb10", "rtx-pro-2000-x4"]
BAD = {
    "cpu-small": {
        "memory": ("fail", "3 engines would hold 4.7 GiB, of 2.5 GiB", "stop what else holds memory"),
        "other tenants": ("warn", "firefox-esr 2.3 GiB", "stop them"),
        "port": ("fail", "8000 (Address already in use)", "stop what listens there"),
        "kernel": ("unknown", "can't be read", "uname -r"),
    },
    "gb10-shared": {
        "driver": ("fail", "590.48.01: capturing CUDA graphs deadlocks", "another version than 590"),
        "temperature": ("fail", "91 degrees, software thermal slowdown", "-lgc"),
        "memory": ("fail", "1 engine would hold 41.8 GiB and 22.7 GiB more while", "free 22.5 GiB: stop"),
        "other tenants": ("warn", "ollama 52.5 GiB", "ollama stop MODEL"),
        "page cache": ("warn", "49.2 GiB cached, 2.8 free, 64.5 wanted", "drop_caches"),
        "swap": ("warn", "16.0 GiB of swap is on", "swapoff"),
        "kernel": ("warn", "6.17.0-1031-nvidia: 8 to 9 GiB less", "another kernel than 6.17.0-1031"),
        "port": ("fail", "8000", "stop"),
        "docker": ("fail", "permission denied", "group docker"),
        "container toolkit": ("unknown", "Docker doesn't answer", "see docker"),
        "disk": ("unknown", "isn't known", "see docker"),
        "model hub": ("fail", "refuses google/gemma-4-26B-A4B-it-assistant", "HF_TOKEN"),
    },
    "gb10-underpowered": {
        "driver": ("fail", "575.57.08; the engine's wheels are built with CUDA 13.0", "install 580.65.06 or newer"),
        "clock and power": ("fail", "GPU 0: 96 % busy at 611 of 3003 MHz and 4 W", "have it replaced"),
        "other tenants": ("warn", "VLLM::EngineCore 42.2 GiB", "an engine runs already"),
        "docker": ("fail", "Compose 2.18.1", "2.20.3 or newer"),
        "container toolkit": ("fail", "isn't installed", "install nvidia-container-toolkit"),
        "disk": ("fail", "11.4 GiB free in /var/lib/docker, the weights are 26.0 GiB", "make room"),
        "model hub": ("fail", "none at all", "bring the cache"),
        "swap": ("unknown", "can't be read", "swapon"),
    },
    "gb10-waiting": {
        "docker": ("warn", ": who shares its network can reach ports", "install Docker Engine 28.3.3"),
        "temperature": ("warn", "GPU 0 has 86 degrees", "let it cool"),
        "kernel": ("warn", "7.0.0-1019-nvidia: 7 of 7 starts", "another kernel than 7.0.0-1019"),
        "clock and power": ("warn", "96 % busy at 2405 of 3003 MHz and 22 W", "stop the engine"),
        "container toolkit": ("warn", "not registered with Docker", "nvidia-ctk runtime configure"),
        "disk": ("warn", "a cache is there", "make room"),
        "model hub": ("warn", "a cache is there", "bring the cache"),
    },
    "no-driver": {
        "gpus": ("fail", "couldn't communicate with the NVIDIA driver", "install NVIDIA's driver again"),
        "driver": ("unknown", "", "see gpus"),
        "compute capability": ("unknown", "", "see gpus"),
        "temperature": ("unknown", "", "see gpus"),
        "clock and power": ("unknown", "", "see gpus"),
        "memory": ("unknown", "here is no NVIDIA GPU", "see gpus"),
        "other tenants": ("unknown", "doesn't say who", "see gpus"),
        "page cache": ("unknown", "can't be read", "free -h"),
        "docker": ("fail", "isn't installed", "install Docker"),
    },
    "rtx-pro-2000-x4-p2p": {
        "clock and power": ("fail", "GPU 0: 100 % busy at 2617 of 3090 MHz and 69 W, with no process on it", "restart"),
        "memory": ("fail", "of 1.3 GiB that may be held (the fullest card", "free 9.1 GiB"),
        "port": ("unknown", "not tried", "ss -ltn"),
        "iommu": ("warn", "translates for 2 of 2 groups", "NCCL_P2P_DISABLE=1"),
        "acs": ("warn", "2 bridges redirect (00:03.1, 20:01.1)", "NCCL_P2P_DISABLE=1"),
        "all-reduce": ("fail", "hangs, and ends with NCCL_P2P_DISABLE=1", "disable-custom-all-reduce"),
    },
    "rtx-pro-2000-x2": {
        "gpus": ("fail", "2000 Ada Generation; 4x NVIDIA RTX PRO 2000 Blackwell needed", "choose the profile"),
        "compute capability": ("fail", "12.0, 8.9; 12.0 needed", "choose the profile"),
        "temperature": ("unknown", "can't be read", "see gpus"),
        "acs": ("unknown", "only root sees it", "sudo lspci"),
        "model hub": ("fail", "has no LiquidAI/LFM2.5-8B-A1B", "correct the model's name"),
        "all-reduce": ("fail", "hangs, whatever was tried", "restart the machine"),
    },
}
CASES = [
    pytest.param(machine, check, *expected, id=f"{machine}: {check}")
    for machine, checks in BAD.items()
    for check, expected in checks.items()
]


def findings(machine: str) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine.judge(*load(machine))}


@pytest.mark.parametrize("machine", NAMES)
def test_every_reading_says_where_it_is_from(machine: str) -> None:
    assert document(machine)["source"].startswith(("Recorded on 20", "Written"))
    assert machine in GOOD or machine in BAD


@pytest.mark.parametrize("machine", GOOD)
def test_a_good_machine_is_go_without_a_word(machine: str) -> None:
    found = findings(machine)
    assert {each.verdict for each in found.values()} == {Verdict.OK}
    assert not [each.fix for each in found.values() if each.fix]


@pytest.mark.parametrize(("machine", "check", "verdict", "says", "fix"), CASES)
def test_a_bad_machine_is_told_what_is_wrong_and_what_to_do(
    machine: str, check: str, verdict: str, says: str, fix: str
) -> None:
    found = findings(machine)[check]
    assert found.verdict == verdict, found
    assert says in found.found
    assert fix in found.fix


@pytest.mark.parametrize("machine", BAD)
def test_a_bad_machine_is_no_go_unless_all_of_it_may_still_work(machine: str) -> None:
    assert go(list(findings(machine).values())) == (machine == "gb10-waiting")


def test_every_check_has_a_good_and_a_bad_reading() -> None:
    good = {check for machine in GOOD for check in findings(machine)}
    bad = {
        finding.check for machine in BAD for finding in findings(machine).values()
        if finding.verdict in (Verdict.WARN, Verdict.FAIL)
    }  # fmt: skip
    assert good == bad == {check for checks in BAD.values() for check in checks}


@pytest.mark.parametrize("machine", NAMES)
def test_what_is_wrong_comes_with_a_fix(machine: str) -> None:
    for finding in findings(machine).values():
        assert bool(finding.fix) == (finding.verdict is not Verdict.OK), finding


def test_an_unreadable_machine_fails_no_check_by_breaking() -> None:
    for machine in NAMES:
        profile, _ = load(machine)
        assert len(examine.judge(profile, Reading())) == len(examine.checks(profile))


def test_the_environment_that_a_profile_sets_makes_iommu_and_acs_harmless() -> None:
    profile, _ = load("rtx-pro-2000-x4")
    _, reading = load("rtx-pro-2000-x4-p2p")
    found = {each.check: each for each in examine.judge(profile, reading)}
    assert "harmless, since the profile sets NCCL_P2P_DISABLE=1" in found["iommu"].found
    assert "harmless, since the profile sets NCCL_P2P_DISABLE=1" in found["acs"].found


def test_a_refused_token_is_told_from_a_licence_that_was_not_accepted() -> None:
    profile, reading = load("gb10")
    found = host.hub(profile, replace(reading, answers={**reading.answers, host.WHO: 401}))
    assert (found.verdict, found.found) == (Verdict.FAIL, "the hub doesn't know this token")


def test_no_command_line_or_folder_of_another_process_is_shown() -> None:
    profile, reading = load("gb10")
    secret = "77, /home/ana/venv/bin/python -m thing --api-key hunter2, 20480\n"
    tenants = next(command for command in reading.commands if "compute-apps" in command)
    seen = replace(reading, commands={**reading.commands, tenants: Printed(0, secret)})
    found = host.others(profile, seen)
    assert found.found == "python 20.0 GiB"


@pytest.mark.parametrize(
    ("machine", "profile"), [("cpu-vm", "cpu"), ("gb10", "gb10"), ("rtx-pro-2000-x4", "rtx-pro-2000-x4")]
)
def test_without_a_name_the_profile_is_the_machine_s(machine: str, profile: str) -> None:
    assert examine.fitting(load(machine)[1]) == profile


def test_a_machine_whose_gpus_cannot_be_read_is_no_machine_without_gpus() -> None:
    with pytest.raises(ConfigError, match="GPUs that nvidia-smi can't read; name the one"):
        examine.fitting(load("no-driver")[1])


def test_a_gpu_that_no_profile_is_for_has_to_be_told_which_to_use() -> None:
    reading = Reading(commands={CARDS: Printed(0, "0, NVIDIA H200, 570.1, 9.0, 143771, 143000\n")})
    with pytest.raises(ConfigError, match="no profile is for NVIDIA H200; name the one to check against"):
        examine.fitting(reading)


@pytest.mark.parametrize("machine", NAMES)
def test_the_table_shows_every_finding_and_the_json_holds_the_same(machine: str) -> None:
    profile, reading = load(machine)
    listed = examine.judge(profile, reading)
    lines = table(profile.name, listed).splitlines()
    assert sum(line.startswith(("ok ", "WARN ", "FAIL ", "unknown ")) for line in lines) == len(listed)
    assert lines[-1].startswith("go" if go(listed) else "no-go: ")
    told = json.loads(as_json(profile.name, listed))
    assert (told["profile"], told["go"]) == (profile.name, go(listed))
    for each, finding in zip(told["checks"], listed, strict=True):
        assert Finding(each["check"], Verdict(each["verdict"]), each["found"], each["fix"]) == finding
