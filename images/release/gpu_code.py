"""Which GPUs the libraries in a wheel hold code for: `python images/release/gpu_code.py WHEEL...`.

Reads the fat binaries that CUDA's compiler puts into each shared library, and fails where a library that every model
needs holds none that the GPU of a DGX Spark runs. It needs no CUDA and no GPU, and must never call a library good
because of PTX alone: that is compiled anew by each driver.

The format isn't documented by NVIDIA. The header of an entry was read off what nvcc 13.0 writes for sm_90a, sm_100,
sm_100a, sm_100f, sm_120, sm_120a, sm_120f and sm_121, cubins and PTX; a test holds such entries against this module.
"""

import argparse
import mmap
import struct
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SPARK = 121
"""Compute capability 12.1, the GB10's, as an architecture number."""
# What every model that vLLM serves goes through; the others serve particular models or other GPUs.
NEEDED = ("_C_stable_libtorch", "_moe_C_stable_libtorch")

_SECTIONS = (b".nv_fatbin", b"__nv_relfatbin")
_FATBIN = struct.Struct("<IHHQ")  # magic, version, header's size, size of the entries
_MAGIC = 0xBA55ED50
_ENTRY = struct.Struct("<HHIQ12xI8xQ")  # kind, version, header's size, payload's size, architecture, flags
_PTX, _CUBIN = 1, 2
_ARCH_SPECIFIC, _FAMILY_SPECIFIC = 1 << 20, 1 << 21
_SECTION_HEADER = struct.Struct("<II16xQQ")  # name, type, offset, size


@dataclass(frozen=True, slots=True)
class Code:
    """GPU code of one kind for one architecture: 120, 120a (that alone) or 120f (its family)."""

    kind: Literal["cubin", "ptx"]
    arch: int
    suffix: Literal["", "a", "f"]

    def __str__(self) -> str:
        return f"{'sm' if self.kind == 'cubin' else 'compute'}_{self.arch}{self.suffix}"

    def runs_on(self, arch: int) -> bool:
        """Whether a GPU of that architecture runs it, compiled by the driver where it is PTX.

        CUDA's rules: a cubin runs on its own major version from its own minor one on, PTX on everything later; `a` code
        on exactly its architecture, `f` code within the family, which for 12.x is the major version.
        """
        if self.suffix == "a":
            return self.arch == arch
        same_major = self.arch // 10 == arch // 10
        return self.arch <= arch and (same_major or (self.kind == "ptx" and not self.suffix))


def library_code(content: bytes | mmap.mmap) -> Counter[Code]:
    """Count the entries of the fat binaries of an ELF library; raises ValueError for what it doesn't understand."""
    found: Counter[Code] = Counter()
    for offset, size in _fatbin_sections(content):
        found.update(_entries(content, offset, offset + size))
    return found


def wheel_code(wheel: Path) -> dict[str, Counter[Code]]:
    """Return for each shared library in a wheel, by its path there, what GPU code it holds."""
    found = {}
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if ".so" in Path(info.filename).suffixes:
                with tempfile.TemporaryFile() as unpacked, archive.open(info) as packed:
                    while chunk := packed.read(1 << 24):
                        unpacked.write(chunk)
                    unpacked.flush()
                    with mmap.mmap(unpacked.fileno(), 0, access=mmap.ACCESS_READ) as content:
                        found[info.filename] = library_code(content)
    return found


def verdict(code: Counter[Code], arch: int = SPARK) -> str:
    """Say in a word what a GPU of that architecture gets from a library: `native`, `PTX`, `none`, or `no GPU code`."""
    if not code:
        return "no GPU code"
    runnable = {each.kind for each in code if each.runs_on(arch)}
    return "native" if "cubin" in runnable else "PTX" if "ptx" in runnable else "none"


def lacking(libraries: dict[str, Counter[Code]], arch: int = SPARK) -> list[str]:
    """Name the needed libraries that aren't there or hold no native code for that architecture."""
    verdicts = {Path(name).name.partition(".")[0]: verdict(code, arch) for name, code in libraries.items()}
    return [name for name in NEEDED if verdicts.get(name) != "native"]


def _fatbin_sections(content: bytes | mmap.mmap) -> Iterator[tuple[int, int]]:
    if content[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian: both our architectures
        return
    (table,) = struct.unpack_from("<Q", content, 0x28)
    width, count, names = struct.unpack_from("<HHH", content, 0x3A)
    headers = [_SECTION_HEADER.unpack_from(content, table + number * width) for number in range(count)]
    if not headers:
        return
    texts = headers[names][2]
    for name, _, offset, size in headers:
        start = texts + name
        if content[start : content.find(b"\0", start)] in _SECTIONS:
            yield offset, size


def _entries(content: bytes | mmap.mmap, position: int, end: int) -> Iterator[Code]:
    while position + _FATBIN.size <= end:
        magic, version, header, size = _FATBIN.unpack_from(content, position)
        if magic == 0:  # padding up to the next fat binary
            position += 8
            continue
        if magic != _MAGIC or version != 1 or position + header + size > end:
            raise ValueError(f"no fat binary of a known version at offset {position}")
        inner, position = position + header, position + header + size
        while inner < position:
            kind, _, entry_header, payload, arch, flags = _ENTRY.unpack_from(content, inner)
            if kind not in (_PTX, _CUBIN) or entry_header < _ENTRY.size:
                raise ValueError(f"a fat binary's entry of unknown kind {kind} at offset {inner}")
            suffix: Literal["", "a", "f"] = "a" if flags & _ARCH_SPECIFIC else "f" if flags & _FAMILY_SPECIFIC else ""
            yield Code("cubin" if kind == _CUBIN else "ptx", arch, suffix)
            inner += entry_header + payload


def _line(name: str, code: Counter[Code]) -> str:
    listed = sorted(code.items(), key=lambda item: (item[0].kind, item[0].arch, item[0].suffix))
    return f"  {verdict(code):<12} {name}  " + " ".join(f"{each}:{count}" for each, count in listed)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: status 1 where a needed library lacks native code for the Spark's GPU."""
    parser = argparse.ArgumentParser(description="Which GPUs the libraries in wheels hold code for.")
    parser.add_argument("wheels", type=Path, nargs="+")
    failed = []
    print(f"what a GPU of compute capability {SPARK // 10}.{SPARK % 10} gets, and the entries by architecture:")  # noqa: T201
    for wheel in parser.parse_args(arguments).wheels:
        libraries = wheel_code(wheel)
        print(wheel.name)  # noqa: T201
        for name, code in sorted(libraries.items()):
            if code:
                print(_line(name, code))  # noqa: T201
        if wheel.name.startswith("vllm-"):
            failed += [f"{name} in {wheel.name}" for name in lacking(libraries)]
    if failed:
        print(f"gpu code: no native code for the Spark's GPU: {', '.join(failed)}", file=sys.stderr)  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
