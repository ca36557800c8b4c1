"""Topics: the one that is spelt most like another."""

from fleet.topics import nearest


def test_the_nearest_topic_is_the_one_with_the_typing_error() -> None:
    spoken = ["m/zorn/four/tele/SENSOR", "m/zorn/silnet/reading", "m/zorn/cabine-1/tele/LWT"]
    assert nearest("m/zorn/silent/reading", spoken) == "m/zorn/silnet/reading"
    assert nearest("m/zorn/silent/reading", []) == ""
    assert nearest("m/zorn/silent/reading", spoken, 0.8) == "m/zorn/silnet/reading"
    assert nearest("m/zorn/silent/reading", ["m/zorn/four/tele/SENSOR"], 0.8) == ""
    assert nearest("m/zorn/silent/reading", ["m/zorn/tour6/reading"], 0.8) == ""  # what all topics share tells nothing
    assert nearest("m/zorn/tour-6/reading", ["m/zorn/tour6/reading"], 0.8) == "m/zorn/tour6/reading"
