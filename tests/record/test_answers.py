"""Answers that were given before a host died are put together again, in the shape that they would have had."""

from hypothesis import given
from hypothesis import strategies as st
from rheobase import answers
from rheobase.record import RecordReader, RecordWriter

VALUES = st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 2), max_size=2)
GIVEN = st.dictionaries(st.sampled_from("abc"), VALUES | st.dictionaries(st.sampled_from("xy"), VALUES))


@given(GIVEN, GIVEN)
def test_what_changed_put_onto_what_was_known_is_what_is_known_now(then, new):
    now = {**then, **new}
    told = answers.merged(then, answers.changed(now, then))
    assert answers.changed(now, told) == {}
    assert answers.changed(now, now) == {}


def read(tmp_path, *lines):
    with RecordWriter.create("S1", 1000, tmp_path) as writer:
        writer.write("open", person="A-1", protocol="a", channels={}, load={}, board="B")
        for kind, fields in lines:
            writer.write(kind, **fields)
    return RecordReader(writer.path)


def so_far(part, **given):
    return "screening", {"phase": "so_far", "part": part, "answers": given}


def test_answers_so_far_have_the_shape_of_the_whole_line_and_the_whole_line_counts(tmp_path):
    lines = [
        so_far("before", licensed=True, stops={"implant": False, "pregnancy": True}),
        so_far("before", stops={"pregnancy": "leg only"}, pairs=[{"channel": 1}]),
        so_far("after", leads_off=True),
    ]
    reader = read(tmp_path, *lines)
    stops = {"implant": False, "pregnancy": "leg only"}
    assert reader.answers("before")["answers"] == {"licensed": True, "stops": stops, "pairs": [{"channel": 1}]}
    assert reader.answers("after")["leads_off"] is True and reader.answers("after")["phase"] == "so_far"
    whole = ("screening", {"phase": "before", "answers": {"licensed": True}, "yes": False})
    assert read(tmp_path, *lines, whole).answers("before")["answers"] == {"licensed": True}
    assert read(tmp_path).answers("before") == read(tmp_path).answers("after") == {}


def test_an_order_that_was_made_later_stands_in_the_place_of_what_the_record_opened_with(tmp_path):
    channels = {"1": {"protocol": "b", "config": {"max_ua": 1}}}
    reader = read(tmp_path, ("event", {"event": "order", "protocol": "b", "channels": channels, "load": {"pad": {}}}))
    assert reader.opened["channels"] == channels and reader.opened["protocol"] == "b"
    assert reader.opened["person"] == "A-1" and reader.opened["kind"] == "open"
    assert reader.summary()["protocol"] == "b"
