"""A table's decisions are kept: what is found kept is what would be decided anew."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serve.admission import Admission, Asking
from serve.routing.cell import Cell
from serve.routing.lane import Lane
from serve.routing.policy import Candidate, Row

LANES = (Lane("body", "http://a"), Lane("mtp", "http://b", "mtp", 2), Lane("eagle3", "http://c", "eagle3", 3))
TABLE = (
    Row("zh", "code", (Candidate("mtp", decode_rate=90.0), Candidate("body", decode_rate=60.0))),
    Row("*", "*", (Candidate("body", decode_rate=60.0), Candidate("eagle3", decode_rate=50.0))),
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["demo", "demo@mtp", "demo@body"]),
        "min_p": st.just(0.1),
        "language": st.sampled_from(["zh-Hans", "en"]),
        "task": st.sampled_from(["code", "prose"]),
    },
)
READY = st.lists(st.sampled_from([lane.name for lane in LANES]), unique=True).map(dict.fromkeys)
HELD = st.frozensets(st.sampled_from(["mtp", "eagle3"]), max_size=1)


def admission() -> Admission:
    def classify(payload: Any, endpoint: Any) -> Cell:
        return Cell(payload.get("language", "en"), payload.get("task", "prose"), endpoint, thinking=False)

    return Admission("demo", LANES, TABLE, classify)


@given(st.lists(st.tuples(ASKED, READY, HELD), max_size=20))
def test_a_decision_doesnt_depend_on_those_before(requests: list[tuple[dict[str, Any], dict[str, None], Any]]) -> None:
    lasting = admission()
    for payload, ready, held in requests:
        if "min_p" in payload and payload.get("model") == "demo@mtp":
            continue  # which is refused
        asking = Asking(held=held)
        decided = lasting.decide(payload, "chat", asking, ready)
        assert decided == admission().decide(payload, "chat", asking, ready)
