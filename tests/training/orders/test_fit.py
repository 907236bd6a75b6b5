"""The weights that the package carries are the ones that its training data give."""

from serve.routing import order
from training.orders import fit
from training.orders.sentences import frames, sentences

DIGITS = 0.02  # two of the last digit written, for machines that round otherwise


def test_the_packages_weights_are_those_that_training_gives() -> None:
    learned = fit.fit(fit.samples())
    packed = dict(line.split("\t") for line in fit.WEIGHTS.read_text(encoding="utf-8").splitlines())
    differing = {
        feature: (learned.get(feature, 0.0), packed.get(feature, "0"))
        for feature in learned.keys() | packed.keys()
        if abs(learned.get(feature, 0.0) - float(packed.get(feature, "0"))) > DIGITS
    }
    assert differing == {}


def test_a_feature_that_decides_gets_the_weight() -> None:
    samples = [fit.Sample(frozenset({order.BIAS, "tells" if i % 2 else "noise"}), bool(i % 2), 1.0) for i in range(100)]
    weights = fit.fit(samples)
    assert (
        weights["tells"] + weights.get(order.BIAS, 0.0) > 1 > weights.get("noise", 0.0) + weights.get(order.BIAS, 0.0)
    )


def test_made_up_messages_are_the_same_each_time_and_say_where_their_names_are() -> None:
    pieces = {"de": frames()["de"]}
    made = list(sentences(pieces))
    assert made == list(sentences(pieces))
    assert {orders for _, spans in made for _, _, orders in spans} == {True, False}
    assert all(text[begin:end].strip() for text, spans in made for begin, end, _ in spans)
