"""What a profile lacks, by a rule over plain values."""

from typing import Any

import pytest

from coachline.scheduling.completeness import PARTS, assess

WHOLE = {
    "bio": "x" * 50,
    "specialties": ["Listings"],
    "hourly_rate": {"amount": 0, "currency": "USD"},
    "has_schedule": True,
    "languages": ["en"],
    "years_coaching": 0,
    "certifications": ["CRS"],
}
NOTHING: dict[str, Any] = {
    "bio": " " * 60,
    "specialties": [],
    "hourly_rate": None,
    "has_schedule": False,
    "languages": [],
    "years_coaching": None,
    "certifications": [],
}


def test_the_parts_are_a_whole() -> None:
    assert sum(part.weight for part in PARTS) == 100
    assert assess(WHOLE) == {"completeness": 100, "missing": []}
    assert assess(NOTHING)["completeness"] == 0
    assert len(assess(NOTHING)["missing"]) == len(PARTS)


@pytest.mark.parametrize("lacking", WHOLE)
def test_each_part_is_missed_alone(lacking: str) -> None:
    found = assess({**WHOLE, lacking: NOTHING[lacking]})
    assert len(found["missing"]) == 1
    assert found["completeness"] == 100 - next(p.weight for p in PARTS if p.field == found["missing"][0]["field"])


def test_a_bio_is_counted_without_the_blanks_around_it() -> None:
    assert assess({**WHOLE, "bio": f" {'x' * 49} "})["missing"][0]["field"] == "bio"
