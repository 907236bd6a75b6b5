"""Reading GPU code out of libraries, on fat binaries made by hand after what nvcc 13.0 wrote for each architecture."""

import re
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.release import gpu_code
from images.release.gpu_code import Code

ROOT = Path(__file__).resolve().parents[2]
WHEELS = sorted((ROOT / ".cache/gpu-code").glob("vllm-*.whl"))

# Headers of entries as `nvcc -fatbin` 13.0.88 wrote them for one kernel, with the size of their payload.
RECORDED = {
    "sm_90a": ("0200010140000000700e0000000000000000000000000000080001005a0000000000000000000000110010" + "00" * 21),
    "sm_100": (
        "0200010170000000981400000000000000000000400000000800010064000000000000000000000011000001000000000000"
        "0000000000000000000000000000480000002400000000020900000202010002050500030701010203000002060100040b08"
        "0009" + "00" * 10
    ),
    "sm_100a": (
        "0200010170000000981400000000000000000000400000000800010064000000000000000000000011001001000000000000"
        "0000000000000000000000000000480000002400000000020901000202010002050500030701010203000002060100040b08"
        "0009" + "00" * 10
    ),
    "sm_100f": (
        "0200010170000000981400000000000000000000400000000800010064000000000000000000000011002001000000000000"
        "0000000000000000000000000000480000002400000000020900000202010002050500030701010203000002060100040b08"
        "0009" + "00" * 10
    ),
    "sm_120": (
        "0200010170000000981400000000000000000000400000000800010078000000000000000000000011000001000000000000"
        "0000000000000000000000000000480000002400000000020900000202010002050500030701010203000002060100040b08"
        "0050" + "00" * 10
    ),
    "compute_120": (
        "0100010150000000080100000000000002010000400000000000090078000000000000000000000011800000000000000000"
        "000000000000960100000000000048" + "00" * 15
    ),
    "sm_120a": (
        "0200010170000000981400000000000000000000400000000800010078000000000000000000000011001001000000000000"
        "0000000000000000000000000000480000002400000000020901000202010002050500030701010203000002060100040b08"
        "0050" + "00" * 10
    ),
    "compute_120a": (
        "0100010150000000080100000000000002010000400000000000090078000000000000000000000011801000000000000000"
        "000000000000970100000000000048" + "00" * 15
    ),
    "sm_120f": (
        "0200010170000000981400000000000000000000400000000800010078000000000000000000000011002001000000000000"
        "0000000000000000000000000000480000002400000000020900000202010002050500030701010203000002060100040b08"
        "0050" + "00" * 10
    ),
    "compute_120f": (
        "0100010150000000080100000000000002010000400000000000090078000000000000000000000011802000000000000000"
        "000000000000970100000000000048" + "00" * 15
    ),
    "sm_121": (
        "0200010170000000981400000000000000000000400000000800010079000000000000000000000011000001000000000000"
        "0000000000000000000000000000480000002400000000020900000202010002050500030701010203000002060100040b08"
        + "00"
        * 12
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_what_nvcc_wrote_is_read_as_what_it_was_told_to_write(name: str) -> None:
    header = bytes.fromhex(RECORDED[name])
    (payload,) = struct.unpack_from("<Q", header, 8)
    inner = header + bytes(payload)
    section = struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(inner)) + inner
    assert [str(code) for code in gpu_code.library_code(library(section))] == [name]


def entry(code: Code, payload: bytes = b"\x7fELF" + bytes(28)) -> bytes:
    """One entry as nvcc writes it: kind, version, sizes, architecture, flags."""
    kind = {"ptx": 1, "cubin": 2}[code.kind]
    flags = 0x11 | {"": 0, "a": 1 << 20, "f": 1 << 21}[code.suffix]
    header = struct.pack("<HHIQ", kind, 0x101, 64, len(payload)) + bytes(8) + struct.pack("<HH", 8, 1)
    header += struct.pack("<I", code.arch) + bytes(8) + struct.pack("<Q", flags)
    return header.ljust(64, b"\0") + payload


def fatbin(codes: Sequence[Code], padding: int = 0) -> bytes:
    entries = b"".join(entry(code) for code in codes)
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(entries)) + entries + bytes(padding)


def library(section: bytes, name: bytes = b".nv_fatbin") -> bytes:
    """An ELF library of 64 bits with this section and the section of names."""
    names = b"\0" + name + b"\0.shstrtab\0"
    start = 64
    table = start + len(section) + len(names)

    def header(name_at: int, kind: int, offset: int, size: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", name_at, kind, 0, 0, offset, size, 0, 0, 1, 0)

    headers = header(0, 0, 0, 0) + header(1, 1, start, len(section))
    headers += header(2 + len(name), 3, start + len(section), len(names))
    head = (
        b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    )
    return head + section + names + headers


def wheel(path: Path, libraries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vllm/__init__.py", "")
        for name, content in libraries.items():
            archive.writestr(name, content)
    return path


SM_80, SM_90A, SM_120, SM_120A = (
    Code("cubin", 80, ""),
    Code("cubin", 90, "a"),
    Code("cubin", 120, ""),
    Code("cubin", 120, "a"),
)
SM_120F, PTX_80, PTX_120A = Code("cubin", 120, "f"), Code("ptx", 80, ""), Code("ptx", 120, "a")
codes = st.builds(Code, st.sampled_from(["cubin", "ptx"]), st.integers(70, 130), st.sampled_from(["", "a", "f"]))


@given(st.lists(st.tuples(st.lists(codes, min_size=1, max_size=4), st.integers(0, 2)), max_size=5))
def test_every_entry_is_counted_whatever_lies_between(fatbins: list[tuple[list[Code], int]]) -> None:
    section = b"".join(fatbin(each, 8 * words) for each, words in fatbins)
    assert gpu_code.library_code(library(section)) == Counter(code for each, _ in fatbins for code in each)


def test_relocatable_device_code_counts_too() -> None:
    assert gpu_code.library_code(library(fatbin([SM_120]), b"__nv_relfatbin")) == Counter([SM_120])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"#!/bin/sh\n", id="no ELF"),
        pytest.param(library(b"abc", b".text"), id="no GPU code"),
    ],
)
def test_what_holds_no_fat_binary_has_no_gpu_code(content: bytes) -> None:
    assert gpu_code.library_code(content) == Counter()
    assert gpu_code.verdict(Counter()) == "no GPU code"


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        pytest.param(b"\x01" * 32, "known version", id="magic"),
        pytest.param(fatbin([SM_120])[:40], "known version", id="cut short"),
        pytest.param(
            fatbin([SM_120]).replace(b"\x02\x00\x01\x01", b"\x07\x00\x01\x01", 1), "unknown kind 7", id="kind"
        ),
    ],
)
def test_what_isn_t_understood_is_never_passed_over(section: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        gpu_code.library_code(library(section))


@pytest.mark.parametrize(
    ("code", "runs"),
    [
        pytest.param(SM_120, True, id="sm_120"),
        pytest.param(SM_120F, True, id="sm_120f"),
        pytest.param(SM_120A, False, id="sm_120a"),
        pytest.param(Code("cubin", 121, "a"), True, id="sm_121a"),
        pytest.param(SM_80, False, id="sm_80"),
        pytest.param(Code("cubin", 100, "f"), False, id="sm_100f"),
        pytest.param(Code("cubin", 130, ""), False, id="sm_130"),
        pytest.param(PTX_80, True, id="compute_80"),
        pytest.param(PTX_120A, False, id="compute_120a"),
        pytest.param(Code("ptx", 100, "f"), False, id="compute_100f"),
    ],
)
def test_the_spark_s_gpu_runs(code: Code, runs: bool) -> None:
    assert code.runs_on(gpu_code.SPARK) == runs


@pytest.mark.parametrize(
    ("held", "verdict"),
    [([SM_80, SM_120F], "native"), ([SM_80, PTX_80], "PTX"), ([SM_90A, SM_120A], "none")],
    ids=["native", "ptx", "none"],
)
def test_a_library_s_verdict(held: list[Code], verdict: str) -> None:
    assert gpu_code.verdict(Counter(held)) == verdict


def run(*wheels: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [sys.executable, ROOT / "images/release/gpu_code.py", *wheels]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_wheel_passes_by_its_needed_libraries_and_names_those_without(tmp_path: Path) -> None:
    made = wheel(
        tmp_path / "vllm-1-any.whl",
        {
            "vllm/_C_stable_libtorch.abi3.so": library(fatbin([SM_80, SM_120])),
            "vllm/_moe_C_stable_libtorch.abi3.so": library(fatbin([SM_120F])),
            "vllm/_hopper_C.abi3.so": library(fatbin([SM_90A])),
            "vllm/host_only.so": library(b"abc", b".text"),
        },
    )
    done = run(made)
    assert done.returncode == 0, done.stderr
    assert re.search(r"none +vllm/_hopper_C.abi3.so +sm_90a:1", done.stdout)
    assert re.search(r"native +vllm/_C_stable_libtorch.abi3.so +sm_80:1 sm_120:1", done.stdout)
    assert "host_only" not in done.stdout


@pytest.mark.parametrize(
    "held",
    [
        pytest.param([SM_80, PTX_80], id="PTX alone"),
        pytest.param([SM_120A], id="120a alone"),
        pytest.param(None, id="gone"),
    ],
)
def test_a_wheel_whose_needed_library_has_no_native_code_fails(held: list[Code] | None, tmp_path: Path) -> None:
    libraries = {"vllm/_C_stable_libtorch.abi3.so": library(fatbin([SM_120]))}
    if held is not None:
        libraries["vllm/_moe_C_stable_libtorch.abi3.so"] = library(fatbin(held))
    done = run(wheel(tmp_path / "vllm-1-any.whl", libraries))
    assert done.returncode == 1
    assert done.stderr == "gpu code: no native code for the Spark's GPU: _moe_C_stable_libtorch in vllm-1-any.whl\n"


@pytest.mark.slow
@pytest.mark.skipif(len(WHEELS) < 2, reason="needs the pinned wheels of both architectures: run `make gpu-code` first")
def test_the_pinned_wheels_hold_native_code_for_the_spark_on_both_architectures() -> None:
    assert {path.stem.rpartition("manylinux_2_28_")[2] for path in WHEELS} == {"x86_64", "aarch64"}
    assert run(*WHEELS).returncode == 0
