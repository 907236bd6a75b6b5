"""A table of lanes in a file: what is wrong with it is said with its line, and the router decides by what is right."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve import settings, tables
from serve.errors import ConfigError
from serve.routing.policy import Candidate, Row

LANES = {"body", "mtp"}
GOOD = '{"language": "zh", "task": "*", "candidates": [{"lane": "mtp", "decode_rate": 45.5}, {"lane": "body"}]}'


def row(text: str) -> str:
    return f"[\n{GOOD},\n{text}\n]\n"


def test_reads_rows_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    expected = Row("zh", "*", (Candidate("mtp", None, 45.5), Candidate("body")))
    for text, number in (("[]", 0), (f" [{GOOD} , \n\n {GOOD}]\n", 2), (f"[\n{GOOD}\n]", 1)):
        file.write_text(text)
        assert tables.load(file, LANES) == (expected,) * number


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (row('{"language": "en", "task": "*", "candidates": [{"lane": "medusa"}]}'), "line 3: .* there are body, mtp"),
        (row('{"language": "en", "task": "*", "candidates": [{"lane": "mtp", "decode_rate": -1}]}'), "line 3: .* -1"),
        (row('{"language": "en", "task": "*", "candidates": [{"lane": "mtp", "decode_rate": NaN}]}'), "line 3: .* nan"),
        (row('{"language": "en", "task": "*", "candidates": [{"lane": "mtp", "acceptance_length": 0.5}]}'), "line 3"),
        (row('{"language": "en",\n "task": "*",\n "candidates": [{"lane": 5}]}'), r"line 3: candidates\[0\].lane"),
        (row('{"language": "chn", "task": "*", "candidates": []}'), "line 3: .* which no request ever is"),
        (row('{"language": "en", "task": "poem", "candidates": []}'), "line 3: .* which no request ever is"),
        (row('{"language": "en", "task": "*", "candidates": [{"lane": "mtp"}, {"lane": "mtp"}]}'), "line 3: .* twice"),
        (row("5"), "line 3"),
        ('{"language": "en"}', "must be a JSON list"),
        (row("{"), "line 4: isn't JSON"),
        ("[" * 100_000, "nested too deep|isn't JSON"),
    ],
)
def test_what_cant_be_used_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "table.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=says):
        tables.load(file, LANES)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda deeper: (
            st.lists(deeper) | st.dictionaries(st.sampled_from(["language", "task", "candidates", "lane"]), deeper)
        ),
    )
)
def test_whatever_json_a_file_holds_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:

    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(value))
    try:
        assert tables.load(file, LANES) == ()
    except ConfigError as error:
        told = str(error)
    else:
        told = str(file)
    assert str(file) in told


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("POLYDRAFT_MODEL", "demo")
    monkeypatch.setenv(
        "POLYDRAFT_LANES",
        '[{"name":"body","upstream":"http://x"},{"name":"mtp","upstream":"http://y","method":"mtp","draft_tokens":3}]',
    )
    return monkeypatch


def test_the_routers_settings_take_a_file_before_the_variable(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text(f"[{GOOD}]")
    environment.setenv("POLYDRAFT_TABLE", '[{"language":"de","task":"*","candidates":[]}]')
    environment.setenv("POLYDRAFT_TABLE_FILE", str(file))
    assert [row.language for row in settings.read().table] == ["zh"]


@pytest.mark.parametrize(("text", "says"), [(None, "can't be read"), (row('{"language":"xx"}'), "line 3")])
def test_a_bad_file_stops_the_start(
    environment: pytest.MonkeyPatch, tmp_path: Path, text: str | None, says: str
) -> None:
    file = tmp_path / "table.json"
    if text:
        file.write_text(text)
    environment.setenv("POLYDRAFT_TABLE_FILE", str(file))
    with pytest.raises(ConfigError, match=says):
        settings.read()
