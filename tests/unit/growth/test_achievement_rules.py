"""Rules that never or always hold are told from sensible ones; the page leaves no definition out."""

import runpy

from hypothesis import given
from hypothesis import strategies as st

from coachline.growth.achievement_input import Metric, Operator, criteria_fault
from tests.contract.template_file import ROOT

RATINGS = range(1, 6)


@given(
    operator=st.sampled_from(Operator),
    threshold=st.integers(-100, 700).map(lambda n: n / 100),
    streak=st.integers(2, 9),
)
def test_a_streak_is_sensible_when_some_reviews_fit_and_others_do_not(
    operator: Operator, threshold: float, streak: int
) -> None:
    fits = {
        Operator.AT_LEAST: [each >= threshold for each in RATINGS],
        Operator.AT_MOST: [each <= threshold for each in RATINGS],
        Operator.EXACTLY: [each == threshold for each in RATINGS],
    }[operator]
    fault = criteria_fault(Metric.RATING_RECEIVED, operator, threshold, streak)
    assert (fault is None) == (any(fits) and not all(fits))


def test_the_page_shows_what_is_seeded() -> None:
    made = runpy.run_path(str(ROOT / "scripts/achievement_docs.py"))
    rows = [line for line in made["SEED"].read_text().splitlines() if line.startswith("  ('")]
    assert len(made["definitions"]()) == len(rows) >= 15  # none is written in a way that the page would leave out
