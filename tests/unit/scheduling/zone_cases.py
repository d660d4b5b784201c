"""What coaches in awkward zones offer when their clocks change. As a program, it compares all under the process's TZ.

Expected starts were worked out by hand from the offsets in the comments, not by any code of this project.
"""

import sys
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from coachline.scheduling import Schedule, open_slots
from tests.unit.scheduling.build import NEW_YORK, on_date, utc
from tests.unit.scheduling.reference import Json, reference_slots


class Zone(NamedTuple):
    """Hours on dates of a zone, and the UTC starts (day and time) of hourly sessions of an hour."""

    zone: str
    hours: dict[str, str]
    starts: str

    @property
    def schedule(self) -> Json:
        return {
            "id": "1",
            "type": "DEFAULT",
            "timezone": self.zone,
            "isDefault": True,
            "weekly": [],
            "overrides": [on_date(day, span) for day, span in self.hours.items()],
            "bufferBefore": 0,
            "bufferAfter": 0,
            "slotInterval": 60,
            "minimumNotice": 0,
            "bookingWindowDays": 36_500,
        }

    def found(self) -> tuple[str, str]:
        """The starts that the engine offers, and those of the slow reference."""
        first, last = (date.fromisoformat(day) for day in (min(self.hours), max(self.hours)))
        question = {
            "duration": 60,
            "start": datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(days=1),
            "end": datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=2),
            "now": utc("2000-01-01"),
        }
        engine = open_slots([Schedule.model_validate(self.schedule)], **question)  # type: ignore[arg-type]  # a mixed dict
        slow = reference_slots([self.schedule], **question)  # type: ignore[arg-type]  # a mixed dict
        return _shown(engine), _shown(slow)


def _shown(starts: list[datetime]) -> str:
    return " ".join(f"{at:%d/%H:%M}" for at in starts)


CASES = [
    # -5 until 07:00 UTC on 14 March, then -4; -4 until 06:00 UTC on 7 November, then -5.
    Zone(NEW_YORK, {"2027-03-14": "00:00-05:00"}, "14/05:00 14/06:00 14/07:00 14/08:00"),
    Zone(NEW_YORK, {"2027-11-07": "00:00-03:00"}, "07/04:00 07/05:00 07/06:00 07/07:00"),
    # +10:30 until 15:30 UTC on 2 October, then +11; +11 until 15:00 UTC on 3 April, then +10:30: half an hour only.
    Zone("Australia/Lord_Howe", {"2027-10-03": "01:00-04:00"}, "02/14:30 02/15:30"),
    Zone("Australia/Lord_Howe", {"2027-04-04": "01:00-03:00"}, "03/14:00 03/15:00"),
    # +12:45 until 14:00 UTC on 25 September, then +13:45; +13:45 until 14:00 UTC on 3 April, then +12:45.
    Zone("Pacific/Chatham", {"2027-09-26": "02:00-05:00"}, "25/13:15 25/14:15"),
    Zone("Pacific/Chatham", {"2027-04-04": "02:00-04:00"}, "03/12:15 03/13:15 03/14:15"),
    # No midnight on 28 March: +2 until 22:00 UTC on the 27th, then +3. 23:00 twice on 30 October: +3 until 21:00 UTC.
    Zone("Asia/Beirut", {"2027-03-28": "00:00-03:00"}, "27/22:00 27/23:00"),
    Zone("Asia/Beirut", {"2027-10-30": "22:00-24:00"}, "30/19:00 30/20:00 30/21:00"),
    # No midnight on 30 April: +2 until 22:00 UTC on the 29th, then +3. 23:00 twice on 28 October: +3 until 21:00 UTC.
    Zone("Africa/Cairo", {"2027-04-30": "00:00-02:00"}, "29/22:00"),
    Zone("Africa/Cairo", {"2027-10-28": "22:00-24:00"}, "28/19:00 28/20:00 28/21:00"),
    # No midnight on 5 September: -4 until 04:00 UTC, then -3. 23:00 twice on 3 April: -3 until 03:00 UTC on the 4th.
    Zone("America/Santiago", {"2027-09-05": "00:00-03:00"}, "05/04:00 05/05:00"),
    Zone("America/Santiago", {"2027-04-03": "22:00-24:00"}, "04/01:00 04/02:00 04/03:00"),
    # -3 all year since 2019; before, no midnight on 4 November 2018 and 23:00 twice on 17 February, when -2 ended.
    Zone("America/Sao_Paulo", {"2027-03-14": "00:00-03:00"}, "14/03:00 14/04:00 14/05:00"),
    Zone("America/Sao_Paulo", {"2027-11-07": "00:00-03:00"}, "07/03:00 07/04:00 07/05:00"),
    Zone("America/Sao_Paulo", {"2018-11-04": "00:00-03:00"}, "04/03:00 04/04:00"),
    Zone("America/Sao_Paulo", {"2018-02-17": "22:00-24:00"}, "18/00:00 18/01:00 18/02:00"),
    # +5:45 all year.
    Zone("Asia/Kathmandu", {"2027-03-28": "09:00-11:00"}, "28/03:15 28/04:15"),
    Zone("Asia/Kathmandu", {"2027-10-31": "09:00-11:00"}, "31/03:15 31/04:15"),
    # -10 until 10:00 UTC on 30 December 2011, then +14: there was no 30 December.
    Zone(
        "Pacific/Apia",
        {"2011-12-29": "09:00-11:00", "2011-12-30": "09:00-11:00", "2011-12-31": "09:00-11:00"},
        "29/19:00 29/20:00 30/19:00 30/20:00",
    ),
    Zone(
        "Pacific/Apia",
        {"2011-12-29": "22:00-24:00", "2011-12-30": "00:00-24:00", "2011-12-31": "00:00-02:00"},
        "30/08:00 30/09:00 30/10:00 30/11:00",
    ),
    # -11 until 14:00 UTC on 24 September 2011, then -10; -10 until 14:00 UTC on 2 April 2011, then -11. +13 since 2021.
    Zone("Pacific/Apia", {"2011-09-24": "02:00-05:00"}, "24/13:00 24/14:00"),
    Zone("Pacific/Apia", {"2011-04-02": "02:00-05:00"}, "02/12:00 02/13:00 02/14:00 02/15:00"),
    Zone("Pacific/Apia", {"2027-04-04": "09:00-11:00"}, "03/20:00 03/21:00"),
    # Until 2026 +1 but for Ramadan: +0 from 02:00 UTC on 15 February to 02:00 UTC on 22 March. From 01:00 UTC on
    # 20 September 2026 +0 for good.
    Zone("Africa/Casablanca", {"2026-03-22": "01:00-04:00"}, "22/01:00 22/02:00"),
    Zone("Africa/Casablanca", {"2026-02-15": "01:00-04:00"}, "15/00:00 15/01:00 15/02:00 15/03:00"),
    Zone("Africa/Casablanca", {"2026-09-20": "01:00-04:00"}, "20/00:00 20/01:00 20/02:00 20/03:00"),
    Zone("Africa/Casablanca", {"2027-03-14": "01:00-04:00"}, "14/01:00 14/02:00 14/03:00"),
    # Two hours at once: +0 until 01:00 UTC on 28 March, then +2 until 01:00 UTC on 31 October, then +0.
    Zone("Antarctica/Troll", {"2027-03-28": "00:00-05:00"}, "28/00:00 28/01:00 28/02:00"),
    Zone(
        "Antarctica/Troll",
        {"2027-10-31": "00:00-04:00"},
        "30/22:00 30/23:00 31/00:00 31/01:00 31/02:00 31/03:00",
    ),
]


def main() -> None:
    """Print how many cases agree; exit with those that do not."""
    found = [(case, *case.found()) for case in CASES]
    if wrong := [each for each in found if not each[0].starts == each[1] == each[2]]:
        sys.exit(f"{wrong}")
    sys.stdout.write(f"{len(found)} {datetime(2027, 7, 1).astimezone().tzname()}")


if __name__ == "__main__":
    main()
