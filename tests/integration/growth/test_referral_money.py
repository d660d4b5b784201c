"""Random lives of people who bring each other, book, pay at Stripe, spend their credit, and get their money back.

REFERRAL_LIVES (2) lives of REFERRAL_STEPS (30) steps, from REFERRAL_FIRST_LIFE (1). A slow reference lives beside each:
what it says of every referral and every account has to be so after every step, and no coach ever bears any of it.
"""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.support.referral_life import Life
from tests.support.referral_reference import CAP
from tests.support.stack import Stack
from tests.support.story import paid_sessions
from tests.support.stripe_world import World, world

LIVES = int(os.environ.get("REFERRAL_LIVES", "2"))
STEPS = int(os.environ.get("REFERRAL_STEPS", "30"))
FIRST = int(os.environ.get("REFERRAL_FIRST_LIFE", "1"))


@pytest.fixture(scope="module")
def w(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(stack, tmp_path_factory.mktemp("world")) as made, paid_sessions(stack):
        [kept] = made.rows("select private.setting('referrals')::text as it")
        made.rows(
            "select private.set_setting('referrals', private.setting('referrals') || %s)", f'{{"monthlyCap": {CAP}}}'
        )
        yield made
        made.rows("select private.set_setting('referrals', %s)", kept["it"])


def test_money_is_what_a_slow_reference_says_of_random_lives(w: World) -> None:
    entries: Counter[str] = Counter()
    capped = 0
    for seed in range(FIRST, FIRST + LIVES):
        life = Life(w, seed)
        for _ in range(STEPS):
            life.step()
        life.every_coach_was_paid()
        kinds = "select kind::text from credit_entry where user_id::text = any(%s)"
        entries.update(row["kind"] for row in w.rows(kinds, list(life.reference.joined)))
        became = life.reference.referrals.values()
        capped += sum(not r.referrer_amount for r in became)
        print(f"life {seed}: {dict(Counter(r.status for r in became))}, {len(life.reference.sessions)} sessions")
    print(f"{dict(entries)}, {capped} capped")
    assert entries.keys() >= {"GRANTED", "SPENT", "CLAWED_BACK"}, "lives too short to show anything"
    assert capped
