"""The last steps before arming hold what they look at: output zero at the board's word, stop shown, interlock tried.

The steps of rheobase.therapist.before with an operator and a board that are told here; skin electrodes, one channel.
"""

from types import SimpleNamespace

import pytest
from rheobase.errors import DeviceFault, Refused
from rheobase.therapist import before


class Operator:
    """Answers every question as told; opens and closes the interlock while the guide waits for the board to see it."""

    def __init__(self, board, yes=True):
        self.board, self.answer, self.asked = board, yes, []

    def yes(self, question):
        self.asked.append(question)
        return self.answer

    def ask(self, question, *_):
        self.asked.append(question)
        return True

    def hold(self, says, done, enter=None):
        assert not done(), "it does not wait for the board to see it"
        self.board["interlock"] = not self.board["interlock"]
        self.asked.append(f"interlock {'closed' if self.board['interlock'] else 'open'}")
        assert done()

    def title(self, *words):
        pass

    say = title

    def text(self, question, *_, **__):
        return question


def visit(off=True, yes=True):
    board = {"interlock": True}
    session = SimpleNamespace(
        configure=lambda: None,
        output_off=lambda: off,
        order=SimpleNamespace(parts=[SimpleNamespace(n=1, cfg={"electrode": "skin"})]),
        board=SimpleNamespace(emulated=False, status=lambda: board),
    )
    return SimpleNamespace(session=session, answers={}, electrodes=["skin"], console=Operator(board, yes))


@pytest.mark.req("REQ-100")
def test_it_starts_only_after_output_zero_stop_shown_and_the_interlock_seen_open_and_closed():
    told = visit()
    before.ask(told)
    assert told.answers["checks"] == {"output_zero": True, "stop_shown": True, "interlock_tested": True}
    assert told.console.asked[-3:-1] == ["interlock open", "interlock closed"], "the start is asked last"


@pytest.mark.req("REQ-100")
def test_without_the_boards_word_that_output_is_zero_nothing_is_connected():
    told = visit(off=False)
    with pytest.raises(DeviceFault, match="does not confirm"):
        before.ask(told)
    assert told.console.asked == []


@pytest.mark.req("REQ-100")
def test_without_the_stop_shown_it_does_not_go_on():
    told = visit(yes=False)
    with pytest.raises(Refused):
        before.ask(told)
    assert len(told.console.asked) == 1
