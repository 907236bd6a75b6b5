"""Settings from the environment, and the one line that a bad one gets."""

import json
import os

import pytest

from serve import settings
from serve.errors import ConfigError
from serve.routing.lane import Lane

LANES = [{"name": "body", "upstream": "http://127.0.0.1:1"}]
TWO = [*LANES, {"name": "mtp", "upstream": "http://127.0.0.1:2", "method": "mtp", "draft_tokens": 3}]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith(settings.PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("POLYDRAFT_MODEL", "demo")
    monkeypatch.setenv("POLYDRAFT_LANES", json.dumps(TWO))
    return monkeypatch


def test_reads_lanes_and_table_from_json(environment: pytest.MonkeyPatch) -> None:
    table = [{"language": "zh", "task": "*", "candidates": [{"lane": "mtp", "decode_rate": 45}]}]
    environment.setenv("POLYDRAFT_TABLE", json.dumps(table))
    read = settings.read()
    assert read.lanes == (Lane("body", "http://127.0.0.1:1"), Lane("mtp", "http://127.0.0.1:2", "mtp", 3))
    assert read.table[0].candidates[0].decode_rate == 45


def test_a_lane_may_have_one_engine_or_several(environment: pytest.MonkeyPatch) -> None:
    lanes = [{"name": "body", "upstream": "http://a:1/"}, {"name": "plain", "upstream": ["http://a:1", "http://b:2/"]}]
    environment.setenv("POLYDRAFT_LANES", json.dumps(lanes))
    environment.delenv("POLYDRAFT_TABLE", raising=False)
    read = settings.read().lanes
    assert [lane.engines for lane in read] == [("http://a:1",), ("http://a:1", "http://b:2")]


def test_listens_on_loopback_unless_told_otherwise() -> None:
    assert (settings.read().host, settings.read().port) == ("127.0.0.1", 8000)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        pytest.param("POLYDRAFT_MODEL", None, "POLYDRAFT_MODEL is not set; set it", id="missing"),
        pytest.param("POLYDRAFT_LANES", "[", "POLYDRAFT_LANES must be JSON", id="not JSON"),
        pytest.param("POLYDRAFT_LANES", "[]", "POLYDRAFT_LANES", id="no lane"),
        pytest.param("POLYDRAFT_LANES", '[{"name":"a"}]', "POLYDRAFT_LANES[0].upstream", id="no upstream"),
        pytest.param("POLYDRAFT_LANES", json.dumps(LANES * 2), "same name", id="twice the same"),
        pytest.param("POLYDRAFT_LANES", '[{"name":"A b","upstream":"http://x"}]', "can't name a lane", id="name"),
        pytest.param("POLYDRAFT_LANES", '[{"name":"a","upstream":"x:1"}]', "base URL", id="upstream"),
        pytest.param("POLYDRAFT_LANES", '[{"name":"a","upstream":"http://"}]', "base URL", id="no host"),
        pytest.param("POLYDRAFT_LANES", '[{"name":"a","upstream":"http://x/v1"}]', "base URL", id="a path"),
        pytest.param("POLYDRAFT_LANES", '[{"name":"a","upstream":[]}]', "base URL", id="no engine"),
        pytest.param("POLYDRAFT_LANES", '[{"name":"a","upstream":["http://x","y"]}]', "base URL", id="one of them"),
        pytest.param("POLYDRAFT_LANES", '[{"name":"a","upstream":7}]', "POLYDRAFT_LANES[0].upstream", id="a number"),
        pytest.param(
            "POLYDRAFT_LANES",
            '[{"name":"a","upstream":["http://x","http://x/"]}]',
            "an engine twice",
            id="engine twice",
        ),
        pytest.param(
            "POLYDRAFT_TABLE",
            '[{"language":"en","task":"*","candidates":[{"lane":"mtp","decode_rate":-1}]}]',
            "a rate of -1.0 for lane mtp",
            id="negative rate",
        ),
        pytest.param(
            "POLYDRAFT_TABLE",
            '[{"language":"en","task":"*","candidates":[{"lane":"mtp","acceptance_length":0.9}]}]',
            "an acceptance length of 0.9 for lane mtp",
            id="less than the bonus token",
        ),
        pytest.param("POLYDRAFT_POLICY", "learn", "POLYDRAFT_POLICY", id="no such policy"),
        pytest.param("POLYDRAFT_EXPLORATION", "0.5", "POLYDRAFT_EXPLORATION", id="too much exploration"),
        pytest.param("POLYDRAFT_HALF_LIFE", "0", "POLYDRAFT_HALF_LIFE", id="nothing would be remembered"),
        pytest.param(
            "POLYDRAFT_TABLE", '[{"language":"chn","task":"*","candidates":[]}]', "a row for chn", id="no such language"
        ),
        pytest.param(
            "POLYDRAFT_TABLE",
            '[{"language":"en","task":"cod","candidates":[]}]',
            "a row for en, cod",
            id="no such task",
        ),
        pytest.param(
            "POLYDRAFT_TABLE",
            '[{"language":"en","task":"*","candidates":[{"lane":"body"},{"lane":"body"}]}]',
            "a lane twice",
            id="a lane twice",
        ),
        pytest.param("POLYDRAFT_LANES", '[{"name":"a","upstream":"http://x","method":"mtp"}]', "both", id="method"),
        pytest.param("POLYDRAFT_PORT", "http", "POLYDRAFT_PORT", id="port"),
        pytest.param("POLYDRAFT_PORT", "70000", "POLYDRAFT_PORT", id="port out of range"),
        pytest.param("POLYDRAFT_PROT", "1", "did you mean POLYDRAFT_PORT?", id="misspelt"),
        pytest.param(
            "POLYDRAFT_TABLE",
            '[{"language":"en","task":"*","candidates":[{"lane":"eagle3"}]}]',
            "names a lane that there isn't, eagle3; there are body, mtp",
            id="table names an unknown lane",
        ),
    ],
)
def test_a_bad_setting_is_one_line_that_names_it(
    environment: pytest.MonkeyPatch, name: str, value: str | None, says: str
) -> None:
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    with pytest.raises(ConfigError) as refusal:
        settings.read()
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value)
