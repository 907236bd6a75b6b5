"""Log lines through a real pipe: whole, in their order, and never in anybody's way."""

import json
import logging
import os
import time

import pytest

from serve.log_writer import LogWriter


def record(number: int, width: int = 0) -> logging.LogRecord:
    return logging.LogRecord("n", logging.INFO, "", 0, f"{number} {'x' * width}", (), None)


def drained(descriptor: int) -> list[str]:
    raw = b""
    while more := os.read(descriptor, 2**16):
        raw += more
    os.close(descriptor)
    return raw.decode().splitlines()


def test_lines_come_whole_and_in_their_order() -> None:
    reading, writing = os.pipe()
    writer = LogWriter(writing)
    for number in range(500):
        writer.emit(record(number, 100))
    writer.close()
    os.close(writing)
    assert drained(reading) == [f"{number} {'x' * 100}" for number in range(500)]


def test_a_line_is_written_soon() -> None:
    reading, writing = os.pipe()
    writer = LogWriter(writing)
    started = time.monotonic()
    writer.emit(record(1))
    assert os.read(reading, 100) == b"1 \n"
    assert time.monotonic() - started < 1
    writer.close()
    os.close(writing)
    os.close(reading)


def test_nobody_waits_for_a_reader_that_stands_still_and_what_is_lost_is_counted() -> None:
    reading, writing = os.pipe()
    writer = LogWriter(writing, most=100)
    longest = 0.0
    for number in range(2000):
        started = time.perf_counter()
        writer.emit(record(number, 1000))
        longest = max(longest, time.perf_counter() - started)
        if number == 1000:
            time.sleep(0.2)  # the pipe is full by now
    assert longest < 0.1
    started = time.monotonic()
    writer.close()
    assert time.monotonic() - started < 4
    lines: list[str] = []
    while sum(json.loads(line)["dropped_lines"] for line in lines if line.startswith("{")) + len(lines) < 2000:
        lines += os.read(reading, 2**20).decode().splitlines()
        lines = [line for line in lines if line.startswith("{") or line.endswith("x" * 1000)]
    os.close(reading)
    os.close(writing)


def test_a_reader_that_is_gone_is_no_fault(recwarn: pytest.WarningsRecorder) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    writer = LogWriter(writing)
    writer.emit(record(1))
    time.sleep(0.2)
    writer.emit(record(2))
    writer.close()
    os.close(writing)
    assert list(recwarn) == []
