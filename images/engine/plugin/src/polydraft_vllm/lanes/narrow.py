"""CUDA graphs for a drafter that drafts beside another one: their matrix products leave most of the GPU to it.

A matrix product occupies every multiprocessor that it finds, and the other drafter's small kernels wait until it is
done, though a quarter of them reads a small drafter's weights in time.
"""

import ctypes
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from vllm.config.compilation import CUDAGraphMode

Inner = Any
"""A drafting speculator of vLLM's."""

SHARE = 4
"""One multiprocessor in so many. On an H200 with Gemma 4 26B-A4B's shape at batch 16, EAGLE-3's drafting of 1.3 ms
takes 1.8 with a quarter of them and 2.2 with an eighth; the assistant beside it takes 2.43 ms when EAGLE-3 has all,
2.25 and 2.19. At batch 4 both lanes mixed made 0.983 of the slower one's steps with a quarter, 0.960 with an eighth.
"""

_log = logging.getLogger(__name__)


class Narrow:
    """A drafter's second set of full CUDA graphs, for while another drafter runs."""

    def __init__(self, inner: Inner, cudagraph_mode: Any) -> None:
        self._inner = inner
        ordinary = _graphs(inner)
        inner.init_cudagraph_manager(cudagraph_mode)
        self._own = _graphs(inner)
        _use(inner, ordinary)
        for manager in self._own:
            planned = manager._capture_descs
            manager._capture_descs = {mode: planned[mode] for mode in planned if mode == CUDAGraphMode.FULL}

    @contextmanager
    def used(self) -> Iterator[None]:
        """Have the drafter replay these graphs."""
        ordinary = _graphs(self._inner)
        _use(self._inner, self._own)
        try:
            yield
        finally:
            _use(self._inner, ordinary)

    def capture(self) -> None:
        """Capture them; the drafter's ordinary ones stay as they are."""
        with self.used(), few_multiprocessors():
            self._inner.capture()


def _graphs(inner: Inner) -> tuple[Any, Any]:
    return inner.prefill_cudagraph_manager, inner.decode_cudagraph_manager


def _use(inner: Inner, graphs: tuple[Any, Any]) -> None:
    inner.prefill_cudagraph_manager, inner.decode_cudagraph_manager = graphs


@contextmanager
def few_multiprocessors() -> Iterator[None]:
    """Have cuBLAS choose its kernels for a share of the GPU; where it can't be told, say so and leave it all of it."""
    try:
        cublas = ctypes.CDLL(f"libcublas.so.{str(torch.version.cuda).partition('.')[0]}")
    except OSError as error:
        _log.warning(
            "drafters that draft at once share the GPU unevenly: cuBLAS can't be told to leave room (%s)", error
        )
        yield
        return
    handle = ctypes.c_void_p(torch.cuda.current_blas_handle())
    all_of_them = torch.cuda.get_device_properties(torch.cuda.current_device()).multi_processor_count
    cublas.cublasSetSmCountTarget(handle, all_of_them // SHARE)
    try:
        yield
    finally:
        cublas.cublasSetSmCountTarget(handle, 0)  # as many as there are
