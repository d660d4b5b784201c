"""Sealed texts: open with the key that they name, for the purpose that they were sealed for, and only unchanged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.sealing import Unsealable, seal, unseal

OLD, NEW = {"k1": b"1" * 32}, {"k2": b"2" * 32, "k1": b"1" * 32}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens(text: str) -> None:
    assert unseal(seal(text, "calendly/1/access", OLD), "calendly/1/access", OLD) == text


def test_an_old_key_opens_what_it_sealed_and_the_first_seals() -> None:
    before = seal("secret", "p", OLD)
    assert unseal(before, "p", NEW) == "secret"
    assert seal("secret", "p", NEW).startswith("k2.")
    assert seal("secret", "p", NEW) != seal("secret", "p", NEW)


@pytest.mark.parametrize("broken", ["", "k1", "k1.", "k1.!!", "k9.AAAA", "k1." + "A" * 40])
def test_what_was_not_sealed_does_not_open(broken: str) -> None:
    with pytest.raises(Unsealable):
        unseal(broken, "p", OLD)


def test_a_text_of_another_row_key_or_hand_does_not_open() -> None:
    sealed = seal("secret", "calendly/1/access", OLD)
    for text, purpose, keys in (
        (sealed, "calendly/2/access", OLD),
        (sealed, "calendly/1/refresh", OLD),
        (sealed.replace("k1.", "k2."), "calendly/1/access", NEW),
        (sealed[:-6] + ("B" if sealed[-6] == "A" else "A") + sealed[-5:], "calendly/1/access", OLD),
        (sealed, "calendly/1/access", {"k1": b"3" * 32}),
    ):
        with pytest.raises(Unsealable):
            unseal(text, purpose, keys)
