"""Pastes: text between the terminal's marks never acts as keys, however it arrives."""

from __future__ import annotations

import random
import time

import pytest

from tui.ui.terminal.paste import (
    END,
    INPUT_LIMIT,
    LIMIT,
    MARK_S,
    QUIET_S,
    REPEAT_S,
    STALLED_S,
    START,
    Keys,
    Pasted,
    PasteReader,
    fit_input,
)


class Typist:
    """Feeds a reader by a clock of its own."""

    def __init__(self) -> None:
        self.reader = PasteReader()
        self.now = 100.0
        self.found: list[Keys | Pasted] = []

    def feed(self, *pieces: str, every_s: float = 0.0) -> None:
        for piece in pieces:
            self.now += every_s
            self.found += self.reader.tick(self.now)
            self.found += self.reader.feed(piece, self.now)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.05) + 1):
            self.now += 0.05
            self.found += self.reader.tick(self.now)

    @property
    def keys(self) -> str:
        return "".join(item.text for item in self.found if isinstance(item, Keys))

    @property
    def pasted(self) -> str:
        return "".join(item.text for item in self.found if isinstance(item, Pasted))


# What a page may put into the clipboard. As reported: ESC and a comma opened the
# settings; the others are variants of it.
ATTACKS = {
    "ESC and a comma": "https://a.example/x\x1b,hooks.on-done\r",
    "ESC alone": "a\x1bq",
    "keys behind a long sequence": "a\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14qqqq",
    "colored text": "\x1b[31mred\x1b[0m+-i",
    "arrow and function keys": "a\x1b[A\x1b[Bb\x1bOPc\x1b[15~",
    "mouse reports": "a\x1b[<0;10;10M\x1b[<0;10;10m",
    "Kitty keys": "a\x1b[99;5u\x1b[113u\x1b[27u",
    "control keys": "a\x03\x03\x11\x1a\x04",
    "8-bit sequences": "a\x9b,\x9b201~q",
    "an end mark": f"a{END}q\ry",
    "an end mark and a paste": f"a{END}q{START}b{END}\x03\x03",
    "an end mark and a start mark": f"a{END}{START}b{END}q",
    "many end marks": f"a{END}" + f"q{END}" * 50 + "q",
    "a start mark": f"a{START}b\x1bq",
    "half an end mark": "a\x1b[201\x1b[20\x1b[2\x1b[\x1bq",
    "nested marks": "a\x1b[20\x1b[201~1~q",
    "focus and resize reports": "a\x1b[O\x1b[48;1;1;1;1tq",
    "replies to queries": "a\x1b[?2048;1$y\x1b[1;1Rq",
}


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 4096])
def test_pasted_text_is_never_a_key(name, size):
    sent = START + ATTACKS[name] + END
    typist = Typist()
    typist.feed(*(sent[at : at + size] for at in range(0, len(sent), size)))
    typist.wait(STALLED_S * 2)
    assert typist.keys == ""
    assert typist.pasted.isprintable() or typist.pasted.replace("\r", "").isprintable()
    typist.feed("q")
    assert typist.keys == "q", "keys work again"


@pytest.mark.parametrize("every_s", [0.01, 0.05])
def test_a_paste_that_arrives_slowly_is_text(every_s):
    for attack in ATTACKS.values():
        typist = Typist()
        typist.feed(START)
        typist.feed(*(attack + END), every_s=every_s)
        typist.wait(STALLED_S)
        assert typist.keys == ""


def test_random_input_between_the_marks_is_never_a_key():
    random_ = random.Random(1)
    pieces = ["\x1b", "[", "200~", "201~", START, END, "q", "\r", "\x03", "é", ";", "M"]
    for _ in range(3000):
        content = "".join(random_.choices(pieces, k=random_.randrange(20)))
        sent = START + content + END
        typist = Typist()
        while sent:
            size = random_.randrange(1, 8)
            typist.feed(sent[:size])
            sent = sent[size:]
        typist.wait(1)
        assert typist.keys == "", content
        assert "\x1b" not in typist.pasted


def test_line_ends_and_tabs_are_kept_and_other_controls_dropped():
    typist = Typist()
    typist.feed(f"{START}a\tb\r\nc\x00\x07\x7f\x85\u2028é漢{END}")
    assert typist.pasted == "a\tb\r\nc\u2028é漢"


def test_keys_around_a_paste_are_keys():
    typist = Typist()
    typist.feed(f"j{START}text{END}\r")
    assert typist.keys == "j"
    typist.wait(QUIET_S)
    assert (typist.keys, typist.pasted) == ("j\r", "text")


def test_two_pastes_are_two():
    typist = Typist()
    typist.feed(f"{START}a{END}{START}b{END}")
    typist.wait(QUIET_S)
    assert typist.found == [Pasted("a"), Pasted("b")]


def test_a_key_that_is_held_down_behind_a_paste_acts_after_two_seconds():
    typist = Typist()
    typist.feed(f"{START}a{END}")
    for _ in range(round(REPEAT_S / 0.03) + 2):
        typist.feed("j", every_s=0.03)
        typist.found += typist.reader.tick(typist.now)
    assert typist.keys.startswith("jjj")


def test_a_moving_mouse_does_not_keep_keys_back():
    typist = Typist()
    typist.feed(f"{START}a{END}", "\x1b[<35;10;10M\x1b[<35;11;10Mq")
    assert typist.keys == "\x1b[<35;10;10M\x1b[<35;11;10M"
    typist.wait(QUIET_S)
    assert typist.keys.endswith("Mq")


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_start_mark_may_be_torn_for_any_time(cut):
    for pause_s in (0.0, 0.05, MARK_S * 1.5):
        typist = Typist()
        typist.feed(START[:cut])
        typist.wait(pause_s)
        typist.feed(START[cut:] + "x\x1bq" + END)
        typist.wait(1)
        assert typist.pasted == "xq"
        assert typist.keys in ("", START[:cut])


def test_esc_is_a_key_after_a_moment():
    typist = Typist()
    typist.feed("\x1b")
    assert typist.keys == ""
    typist.wait(0.05)
    assert typist.keys == "\x1b"
    typist.feed("q")
    assert typist.keys == "\x1bq"


@pytest.mark.parametrize("key", ["\x1b", "\x03", "\x1b[27u"])
def test_a_paste_without_an_end_is_passed_on_and_ends_with_esc(key):
    typist = Typist()
    typist.feed(f"{START}some text")
    typist.wait(STALLED_S)
    assert typist.found == [Pasted("some text", is_open=True)]
    typist.feed("qq\x1bq")
    typist.wait(STALLED_S)
    assert typist.keys == "", "still text"
    typist.feed(key)
    typist.wait(QUIET_S)
    assert typist.keys == "", "it ended the paste, and does nothing else"
    typist.feed("q")
    assert typist.keys == "q"


def test_esc_that_begins_the_end_mark_is_no_key():
    typist = Typist()
    typist.feed(f"{START}a")
    typist.wait(STALLED_S)
    typist.feed("\x1b", "[201~q")
    typist.wait(QUIET_S)
    assert (typist.pasted, typist.keys) == ("a", "q")


@pytest.mark.parametrize(
    "content", ["\0\x1b" * 2_500_000, "a" * 5_000_000, END * 500_000]
)
def test_megabytes_take_no_time(content):
    started = time.process_time()
    typist = Typist()
    sent = START + content + END
    typist.feed(*(sent[at : at + 4096] for at in range(0, len(sent), 4096)))
    typist.wait(1)
    assert typist.keys == ""
    assert len(typist.pasted) == content.count("a")
    assert time.process_time() - started < 5


def test_a_paste_is_cut_at_the_limit():
    typist = Typist()
    piece = "a" * (1 << 20)
    typist.feed(START, *[piece] * 20, END)
    (pasted,) = typist.found
    assert pasted.is_cut
    assert len(pasted.text) == LIMIT
    typist.feed(f"{START}b{END}")
    typist.wait(1)
    assert typist.found[1:] == [Pasted("b")]


def test_an_input_line_takes_the_first_line_of_text_up_to_its_limit():
    assert fit_input("\r\n  \nabc\ndef", INPUT_LIMIT) == "abc"
    assert fit_input("a" * 99_999, INPUT_LIMIT) == "a" * INPUT_LIMIT
    assert fit_input("abc", -1) == ""
    assert fit_input("", 10) == ""
