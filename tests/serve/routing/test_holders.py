"""Who holds whose prefix."""

from serve.routing.holders import Holders


def test_remembers_the_engine_that_a_conversation_went_to_last() -> None:
    holders = Holders()
    holders.follow(7, "http://a")
    holders.follow(7, "http://b")
    assert (holders.of(7), holders.of(8)) == ("http://b", None)


def test_forgets_the_conversations_that_were_silent_the_longest() -> None:
    holders = Holders()
    for conversation in range(4096):
        holders.follow(conversation, "http://a")
    holders.follow(0, "http://a")
    holders.follow(5000, "http://a")
    assert (holders.of(0), holders.of(1), holders.of(5000)) == ("http://a", None, "http://a")
