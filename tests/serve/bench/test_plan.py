"""What is sent, and in which order: the same prompts in every way, in turns, as many at once as asked."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from serve.bench.plan import Plan, Setting, Stretch, Way, stretches
from serve.bench.prompts import Prompt

PROMPTS = tuple(Prompt("en", f"prompt {number}") for number in range(7))
WAYS = (Way("body"), Way("mtp"), Way("mtp", 2))


def counted(plan: Plan) -> list[Stretch]:
    return [stretch for stretch in stretches(plan, WAYS) if not stretch.warm_up]


@given(st.integers(1, 3), st.sets(st.integers(1, 9), min_size=1, max_size=3), st.integers(0, 5))
def test_every_way_gets_the_same_prompts(rounds: int, levels: set[int], seed: int) -> None:
    plan = Plan(PROMPTS, rounds=rounds, concurrency=tuple(levels), seed=seed)
    asked: dict[tuple[Setting, Way], Counter[str]] = {}
    for stretch in counted(plan):
        asked.setdefault((stretch.setting, stretch.way), Counter()).update(each.text for each in stretch.prompts)
    for setting in plan.settings():
        first = asked[setting, WAYS[0]]
        assert all(asked[setting, way] == first for way in WAYS)
        assert min(first[prompt.text] for prompt in PROMPTS) >= rounds


def test_ways_take_turns_at_being_first() -> None:
    sent = [stretch.way for stretch in counted(Plan(PROMPTS[:3]))]
    assert sent == [*WAYS, *WAYS[1:], *WAYS[:1], *WAYS[2:], *WAYS[:2]]


def test_a_stretch_holds_enough_to_have_as_many_at_once_to_its_end() -> None:
    for stretch in counted(Plan(PROMPTS, concurrency=(4,))):
        assert len(stretch.prompts) == 8


def test_prompts_are_shuffled_and_a_seed_does_it_again() -> None:
    one, again, other = ([stretch.prompts for stretch in counted(Plan(PROMPTS, seed=seed))] for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_each_way_is_warmed_up_before_each_setting_once() -> None:
    sent = list(stretches(Plan(PROMPTS, rounds=2, concurrency=(1, 4), raw=True), WAYS))
    warmed = Counter((stretch.setting, stretch.way, len(stretch.prompts)) for stretch in sent if stretch.warm_up)
    chat = {(Setting("chat", level), way, level) for level in (1, 4) for way in WAYS}
    raw = {(Setting("completions", 1), way, 1) for way in WAYS[:2]}
    assert warmed == Counter(chat | raw)
    for setting, way, _ in warmed:
        mine = [stretch.warm_up for stretch in sent if (stretch.setting, stretch.way) == (setting, way)]
        assert mine[0] is True
        assert not any(mine[1:])


def test_raw_completions_are_asked_beside_the_chat_that_they_are_held_against() -> None:
    settings = Plan(PROMPTS, concurrency=(4, 1, 4), raw=True).settings()
    assert settings == (Setting("chat", 1), Setting("completions", 1), Setting("chat", 4))
    assert {each.way for each in counted(Plan(PROMPTS, raw=True)) if each.setting.endpoint == "completions"} == {
        Way("body"),
        Way("mtp"),
    }
