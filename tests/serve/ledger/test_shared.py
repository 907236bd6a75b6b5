"""Routers that share a ledger, through a real Redis or Valkey."""

import asyncio
import logging
import re
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from serve.errors import ConfigError
from serve.ledger.shared import Shared, Unequal, connected, is_shared, share
from serve.ledger.shared import _tried as exchanged
from serve.routing.cell import Cell
from serve.routing.ledger import Ledger
from serve.routing.lesson import Lesson
from tests.serve import double
from tests.serve.ledger.test_sums import EN, HALF_LIFE, LANES, ZH, lesson
from tests.serve.ledger.test_wiring import CHAT, learning, lessons
from tests.stack.running import ROOT, free_port

COMMAND = shutil.which("valkey-server") or shutil.which("redis-server")
KEY = "polydraft:ledger:1:demo"
MTP = "mtp/mtp/3"

pytestmark = pytest.mark.skipif(COMMAND is None, reason="no redis-server or valkey-server: apt-get install redis-tools")


class Server:
    """A server of its own, which can be stopped and started again; it keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = free_port(), folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self.process = subprocess.Popen(
            [str(COMMAND), *arguments, "--dir", str(self._folder)], stdout=subprocess.DEVNULL
        )
        asyncio.run(self._until_up())

    async def _until_up(self) -> None:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
        raise TimeoutError("the server doesn't come up")

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def server(running: Server) -> Server:
    async def empty() -> None:
        client = connected(running.url)
        await client.flushall()
        await client.aclose()

    asyncio.run(empty())
    return running


class Router:
    """One router's ledger, and its side of the exchange."""

    def __init__(self, url: str, half_life: float = HALF_LIFE) -> None:
        self.ledger = Ledger(LANES, (), half_life)
        self.client = connected(url)
        self.shared = Shared(self.client, self.ledger, "demo", half_life)

    def weight(self, cell: Cell = EN) -> float:
        seen = self.ledger.state().acceptance.get((MTP, cell))
        return seen.weight if seen else 0.0

    def mean(self, cell: Cell = EN) -> float:
        return self.ledger.state().acceptance[MTP, cell].mean


def with_routers(url: str, number: int, work: Callable[..., Awaitable[None]]) -> None:
    async def run() -> None:
        routers = [Router(url) for _ in range(number)]
        try:
            await work(*routers)
        finally:
            for router in routers:
                await router.shared.close()

    asyncio.run(run())


def worth(each: Lesson) -> float:
    return each.steps / (each.steps + 10.0)


def test_what_one_learns_the_others_know(server: Server) -> None:
    async def work(one: Router, other: Router) -> None:
        for _ in range(5):
            one.ledger.learn(lesson(EN, 2.5), 100.0)
        await one.shared.exchange(100.0)
        await other.shared.exchange(100.0)
        assert other.mean() == pytest.approx(2.5)
        assert other.weight() == pytest.approx(5 * worth(lesson(EN, 2.5)))
        ours, theirs = (r.ledger.estimates(EN, [("mtp", 1)], 100.0)[0] for r in (one, other))
        assert theirs.decode_rate == pytest.approx(ours.decode_rate, rel=1e-6)

    with_routers(server.url, 2, work)


def test_nobodys_lessons_are_lost_or_counted_twice(server: Server) -> None:
    """Three routers learn and exchange in turns; in the end each knows every lesson, once."""

    async def work(*routers: Router) -> None:
        now, total = 1000.0, 0
        for turn in range(12):
            for index, router in enumerate(routers):
                for _ in range(index + 1):
                    router.ledger.learn(lesson(EN, 2.0 + 0.1 * index), now)
                    total += 1
                if (turn + index) % 2:
                    await router.shared.exchange(now)
        for _ in range(2):
            for router in routers:
                await router.shared.exchange(now)
        for router in routers:
            assert router.weight() == pytest.approx(total * worth(lesson(EN, 2.0)), rel=1e-6)
            assert router.mean() == pytest.approx((1 * 2.0 + 2 * 2.1 + 3 * 2.2) / 6, rel=1e-6)

    with_routers(server.url, 3, work)


def test_exchanges_at_once_lose_nothing(server: Server) -> None:
    async def work(*routers: Router) -> None:
        for turn in range(20):
            for router in routers:
                router.ledger.learn(lesson(EN, 2.2), 50.0 + turn)
            await asyncio.gather(*(router.shared.exchange(50.0 + turn) for router in routers))
        for router in routers:
            await router.shared.exchange(69.0)
        assert routers[0].weight() == pytest.approx(80 * worth(lesson(EN, 2.2)), rel=0.01)  # some are seconds old
        assert {round(router.weight(), 6) for router in routers} == {round(routers[0].weight(), 6)}

    with_routers(server.url, 4, work)


def test_what_is_learned_during_an_exchange_stays(server: Server) -> None:
    async def work(one: Router) -> None:
        await one.shared.exchange(10.0)
        one.ledger.learn(lesson(EN, 2.5), 10.0)
        answer = one.client.eval

        async def slow(*arguments: Any) -> Any:
            reply = await answer(*arguments)
            one.ledger.learn(lesson(ZH, 1.5), 10.0)
            return reply

        one.client.eval = slow  # type: ignore[method-assign,assignment]
        await one.shared.exchange(10.0)
        one.client.eval = answer  # type: ignore[method-assign]
        assert one.weight(ZH) > 0
        await one.shared.exchange(10.0)
        assert (one.weight(EN), one.weight(ZH)) == pytest.approx((0.9, 0.9))

    with_routers(server.url, 1, work)


@pytest.mark.parametrize("came", [True, False])
def test_an_answer_that_got_lost_counts_nothing_twice(server: Server, came: bool) -> None:
    """The connection broke after the server had added it all, or before."""

    async def work(one: Router) -> None:
        await one.shared.exchange(10.0)
        answer = one.client.eval

        async def broken(*arguments: Any) -> Any:
            if came:
                await answer(*arguments)
            raise ConnectionError

        one.ledger.learn(lesson(EN, 2.5), 10.0)
        one.client.eval = broken  # type: ignore[method-assign,assignment]
        with pytest.raises(ConnectionError):
            await one.shared.exchange(10.0)
        one.client.eval = answer  # type: ignore[method-assign]
        one.ledger.learn(lesson(EN, 2.5), 10.0)
        await one.shared.exchange(10.0)
        await one.shared.exchange(10.0)
        assert one.weight() == pytest.approx(2 * 0.9)

    with_routers(server.url, 1, work)


def test_a_router_that_starts_again_goes_on_from_what_all_know(server: Server) -> None:
    async def work(one: Router, again: Router) -> None:
        for _ in range(4):
            one.ledger.learn(lesson(EN, 2.5), 100.0)
        await one.shared.exchange(100.0)
        await again.shared.exchange(100.0 + HALF_LIFE)
        assert again.weight() == pytest.approx(2 * worth(lesson(EN, 2.5)))

    with_routers(server.url, 2, work)


def test_a_change_that_two_notice_at_once_is_corrected_once(server: Server) -> None:
    async def work(one: Router, other: Router) -> None:
        for index in range(30):
            one.ledger.learn(lesson(EN, 3.0), float(index))
        for router in (one, other):
            await router.shared.exchange(30.0)
        for router in (one, other):
            while not router.ledger.drifted:
                router.ledger.learn(lesson(EN, 1.2), 30.0)
        for router in (one, other, one):
            await router.shared.exchange(30.0)
        assert one.ledger.drifted == other.ledger.drifted == set()
        assert 0 < one.weight() < 3
        assert one.weight() == pytest.approx(other.weight(), rel=1e-6)
        assert one.mean() < 2.0

    with_routers(server.url, 2, work)


def test_a_server_that_comes_back_empty_gets_what_was_known_once(server: Server) -> None:
    async def work(one: Router, other: Router) -> None:
        for _ in range(5):
            one.ledger.learn(lesson(EN, 2.5), 100.0)
        for router in (one, other):
            await router.shared.exchange(100.0)
        await one.client.flushall()
        other.ledger.learn(lesson(EN, 2.5), 160.0)
        for router in (one, other, one):
            await router.shared.exchange(160.0)
        known = 5 * 0.5 ** (60 / HALF_LIFE) + 1
        assert one.weight() == pytest.approx(known * 0.9, rel=1e-6)
        assert other.weight() == pytest.approx(known * 0.9, rel=1e-6)

    with_routers(server.url, 2, work)


def test_sums_are_begun_anew_before_they_grow_too_long(server: Server) -> None:
    async def work(one: Router, other: Router) -> None:
        one.ledger.learn(lesson(EN, 2.5), 0.0)
        for router in (one, other):
            await router.shared.exchange(0.0)
        born = await one.client.hget(KEY, "born")
        late = 65 * HALF_LIFE
        one.ledger.learn(lesson(EN, 2.0), late)
        other.ledger.learn(lesson(EN, 2.0), late)
        for router in (one, other, one):
            await router.shared.exchange(late)
        assert await one.client.hget(KEY, "born") != born
        assert one.weight() == pytest.approx(2 * 0.9, rel=1e-6)
        assert other.weight() == pytest.approx(2 * 0.9, rel=1e-6)
        assert max(len(value) for value in (await one.client.hgetall(KEY)).values()) < 60

    with_routers(server.url, 2, work)


@pytest.mark.parametrize("bad", ["type", "field", "number"])
def test_what_isnt_a_ledger_is_set_aside(server: Server, caplog: pytest.LogCaptureFixture, bad: str) -> None:
    async def work(one: Router) -> None:
        client = one.client
        if bad == "type":
            await client.set(KEY, "mine")
        else:
            fields = {"field": {"["}, "number": {'["steps", "mtp/mtp/3", 0]'}}[bad]
            half_life = repr(HALF_LIFE)
            await client.hset(KEY, mapping={"born": "1.0 x", "half_life": half_life, **dict.fromkeys(fields, "lots")})
        one.ledger.learn(lesson(EN, 2.5), 100.0)
        sharing = asyncio.create_task(share(one.shared, lambda: 100.0, 0.02))
        while len(await client.keys(f"{KEY}*")) < 2:
            await asyncio.sleep(0.02)
        sharing.cancel()
        await asyncio.gather(sharing, return_exceptions=True)

    with caplog.at_level(logging.WARNING):
        with_routers(server.url, 1, work)
    assert "set aside" in caplog.text

    async def kept(other: Router) -> None:
        await other.shared.exchange(100.0)
        assert other.weight() == pytest.approx(0.9)

    with_routers(server.url, 1, kept)


@pytest.mark.parametrize(
    ("refuse", "allow"),
    [
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    ],
    ids=["replica", "memory"],
)
def test_a_server_that_refuses_for_a_while_loses_and_multiplies_nothing(
    server: Server, caplog: pytest.LogCaptureFixture, refuse: tuple[str, ...], allow: tuple[str, ...]
) -> None:
    async def work(one: Router, other: Router) -> None:
        for _ in range(5):
            one.ledger.learn(lesson(EN, 2.5), 100.0)
        for router in (one, other):
            await exchanged(router.shared, 100.0, "")
        await one.client.execute_command(*refuse)  # type: ignore[no-untyped-call]
        try:
            other.ledger.learn(lesson(EN, 2.5), 100.0)
            said = await exchanged(other.shared, 100.0, "")
            assert said == await exchanged(other.shared, 100.0, said) != ""
        finally:
            await one.client.execute_command(*allow)  # type: ignore[no-untyped-call]
        for router in (one, other, one):
            await exchanged(router.shared, 100.0, "")
        assert await one.client.keys(f"{KEY}*") == [KEY]
        assert one.weight() == pytest.approx(6 * 0.9)
        assert other.weight() == pytest.approx(6 * 0.9)

    with caplog.at_level(logging.WARNING):
        with_routers(server.url, 2, work)
    assert caplog.text.count("learns for itself") == 1


@pytest.mark.parametrize("first", [0, 1], ids=["who set it aside", "the other"])
def test_a_ledger_that_was_set_aside_comes_back_once(server: Server, first: int) -> None:
    """Whichever router begins anew gives what all knew; nobody gives it again."""

    async def work(*routers: Router) -> None:
        routers[0].ledger.learn(lesson(EN, 2.5), 100.0)
        for router in routers:
            await exchanged(router.shared, 100.0, "")
        await routers[0].client.hset(KEY, '["steps", "mtp/mtp/3", 0]', "lots")
        routers[0].ledger.learn(lesson(EN, 2.5), 100.0)
        await exchanged(routers[0].shared, 100.0, "")
        assert not await routers[0].client.exists(KEY)
        for index in (first, 1 - first, first):
            await exchanged(routers[index].shared, 100.0, "")
        assert [router.weight() for router in routers] == pytest.approx([2 * 0.9] * 2)

    with_routers(server.url, 2, work)


def test_routers_with_another_half_life_dont_share(server: Server) -> None:
    async def work(one: Router) -> None:
        await one.shared.exchange(1.0)
        other = Router(server.url, 60.0)
        with pytest.raises(Unequal, match="the same POLYDRAFT_HALF_LIFE"):
            await other.shared.exchange(1.0)
        await other.shared.close()

    with_routers(server.url, 1, work)


def test_while_the_server_is_away_it_learns_for_itself_and_tells_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = Server(tmp_path)

    async def run() -> None:
        router = Router(server.url)
        sharing = asyncio.create_task(share(router.shared, time.time, 0.05))
        router.ledger.learn(lesson(EN, 2.5), time.time())
        await asyncio.sleep(0.3)
        assert not sharing.done()
        await asyncio.to_thread(server.start)
        reader = Router(server.url)
        for _ in range(100):
            await reader.shared.exchange(time.time())
            if reader.weight():
                break
            await asyncio.sleep(0.05)
        assert reader.mean() == pytest.approx(2.5)
        sharing.cancel()
        await asyncio.gather(sharing, return_exceptions=True)
        await reader.shared.close()

    try:
        with caplog.at_level(logging.WARNING):
            asyncio.run(run())
    finally:
        server.stop()
    messages = [record.message for record in caplog.records]
    assert sum("learns for itself" in message for message in messages) == 1
    assert sum("can be used again" in message for message in messages) == 1
    assert "redis://" not in caplog.text


def test_tells_a_servers_url_from_a_file() -> None:
    assert is_shared("redis://host:6379/0")
    assert is_shared("valkeys://host")
    assert not is_shared("/var/lib/polydraft/ledger.sqlite")
    assert not is_shared("C:redis")
    with pytest.raises(ConfigError, match="POLYDRAFT_LEDGER"):
        connected("redis://host:port/0")


def test_an_url_that_cant_be_read_is_refused_without_a_word_of_its_password() -> None:
    with pytest.raises(ConfigError, match="percent-encoded") as refused:
        connected("redis://:open#sesame/1@host:6379/0")
    assert "open" not in str(refused.value)
    assert refused.value.__suppress_context__


def of_mtp(client: httpx2.Client) -> dict[str, float]:
    """What a router has learned of lane mtp."""
    estimates = client.post("/v1/route", json=CHAT).json()["learned"]["estimates"]
    return next(each for each in estimates if each["lane"] == "mtp")


def test_one_running_router_knows_what_the_other_was_asked(server: Server) -> None:
    loop = double.Loop()
    try:
        with (
            double.engine(loop) as body,
            double.engine(loop) as mtp,
            learning(loop, body, mtp, ledger=server.url, exploration=0.0) as one,
            learning(loop, body, mtp, ledger=server.url, exploration=0.0) as other,
        ):
            for lane in ("body", "mtp"):
                for _ in range(6):
                    one.post("/v1/chat/completions", json=CHAT, headers={"x-polydraft-lane": lane})
            lessons(one, 12)
            double.until(lambda: of_mtp(other)["requests"] > 2)
            assert of_mtp(other)["decode_rate"] == pytest.approx(80, rel=0.15)
    finally:
        loop.close()


def test_the_lock_with_the_extra_has_the_same_versions_as_the_one_without() -> None:
    def pinned(name: str) -> set[str]:
        return set(re.findall(r"^[\w.-]+==\S+", (ROOT / name).read_text(), re.MULTILINE))

    plain, extra = (pinned(f"images/router/requirements{name}.txt") for name in ("", "-redis"))
    assert plain < extra
    assert {line.partition("==")[0] for line in extra - plain} == {"redis", "async-timeout"}
