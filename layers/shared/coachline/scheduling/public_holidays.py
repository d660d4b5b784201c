"""The public holidays of a country, from the `holidays` library, without loading the other 249 countries.

Costs a third of a second to import, so only the function that needs it does (docs/adr/023).
"""

import sys
from datetime import date
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import holidays
from holidays.registry import COUNTRIES


class UnknownPlaceError(ValueError):
    """There is no such country or, as `field` says, no such subdivision of it."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class PublicHoliday(NamedTuple):
    """A date off, with the names of all that fall on it."""

    date: date
    name: str


def public_holidays(country: str, subdivision: str | None, year: int) -> list[PublicHoliday]:
    """In order. `country` is ISO 3166-1 alpha-2, `subdivision` the country's own code (California: CA).

    Days in lieu are holidays of their own. Raises UnknownPlaceError.
    """
    found = _country(country)
    if subdivision is not None and subdivision not in found.subdivisions:
        known = ", ".join(found.subdivisions) or "none"
        raise UnknownPlaceError("subdivision", f"is not one that holidays of {country} are known for: {known}")
    language = "en_US" if "en_US" in found.supported_languages else None
    days = found(subdiv=subdivision, years=year, language=language)
    return [PublicHoliday(day, name) for day, name in sorted(days.items()) if day.year == year]


@cache
def _country(code: str) -> Any:
    # The package's own __init__ imports every country: 45 MB, and twice the time. A bare package in its place lets a
    # country's module, and those it refers to, be imported alone.
    if "holidays.countries" not in sys.modules:
        package = ModuleType("holidays.countries")
        package.__path__ = [f"{holidays.__path__[0]}/countries"]
        sys.modules[package.__name__] = package
    for module, (name, alpha_2, *_) in COUNTRIES.items():
        if alpha_2 == code:
            return getattr(import_module(f"holidays.countries.{module}"), name)
    raise UnknownPlaceError("country", "is not an ISO 3166-1 code of a country whose holidays are known")
