"""When an engine is left alone, and when it gets another try."""

from serve.proxy.breaker import Breaker


def opened() -> Breaker:
    breaker = Breaker(failures=3, pause=10)
    for now in (1, 2, 3):
        assert breaker.permits(now)
        breaker.started(now)
        breaker.failed(now)
    return breaker


def test_opens_after_failures_in_a_row() -> None:
    breaker = opened()
    assert not breaker.permits(3)
    assert not breaker.permits(12.9)


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = Breaker(failures=2, pause=10)
    for now in range(20):
        breaker.failed(now)
        breaker.succeeded()
        assert breaker.permits(now)


def test_lets_one_request_try_after_the_pause() -> None:
    breaker = opened()
    assert breaker.permits(13)
    breaker.started(13)
    assert not breaker.permits(13)
    assert not breaker.permits(22.9)


def test_another_one_may_try_if_the_first_never_ends() -> None:
    breaker = opened()
    breaker.started(13)
    assert breaker.permits(23)


def test_closes_when_the_try_succeeds() -> None:
    breaker = opened()
    breaker.started(13)
    breaker.succeeded()
    assert breaker.permits(13)


def test_stays_open_when_the_try_fails() -> None:
    breaker = opened()
    breaker.started(13)
    breaker.failed(14)
    assert not breaker.permits(23.9)
    assert breaker.permits(24)
