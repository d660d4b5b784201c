"""The people of a new local stack: three coaches in three zones, mentees, an admin. Made through the API itself."""

from typing import Any

import aiohttp

WEEK = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")

PEOPLE: tuple[dict[str, Any], ...] = (
    {"email": "ada.admin@example.com", "firstName": "Ada", "lastName": "Admin", "roles": ["ADMIN"]},
    {"email": "mia.mentee@example.com", "firstName": "Mia", "lastName": "Mentee", "roles": ["MENTEE"]},
    {"email": "noah.newcomer@example.com", "firstName": "Noah", "lastName": "Newcomer", "roles": ["MENTEE"]},
    {"email": "olivia.owner@example.com", "firstName": "Olivia", "lastName": "Owner", "roles": ["MENTEE"]},
    {"email": "casey.coach@example.com", "firstName": "Casey", "lastName": "Coach", "roles": ["COACH"]},
    {"email": "lena.london@example.com", "firstName": "Lena", "lastName": "London", "roles": ["COACH"]},
    {"email": "kiran.kathmandu@example.com", "firstName": "Kiran", "lastName": "Kathmandu", "roles": ["COACH"]},
)

COACHES: dict[str, dict[str, Any]] = {
    "casey.coach@example.com": {
        "bio": "Twenty years of listings in New York: pricing, staging and the talk that wins the mandate.",
        "specialties": ["Listings", "Negotiation"],
        "rate": {"amount": 15000, "currency": "USD"},
        "timezone": "America/New_York",
        "hours": ("09:00", "17:00"),
    },
    "lena.london@example.com": {
        "bio": "Lettings and relocation across London. We turn your diary into a pipeline, one week at a time.",
        "specialties": ["Lettings", "Prospecting"],
        "rate": {"amount": 12000, "currency": "GBP"},
        "timezone": "Europe/London",
        "hours": ("08:00", "16:00"),
    },
    "kiran.kathmandu@example.com": {
        "bio": "First-year agents are my people: your first ten clients, with numbers you can hold yourself to.",
        "specialties": ["First year", "Prospecting"],
        "rate": {"amount": 0, "currency": "USD"},
        "timezone": "Asia/Kathmandu",
        "hours": ("10:00", "18:00"),
    },
}


async def seed(base_url: str) -> None:
    """Make everyone of PEOPLE, and publish the coaches among them with a weekly schedule."""
    async with aiohttp.ClientSession(base_url, raise_for_status=True) as http:
        for person in PEOPLE:
            async with http.post("/_dev/users", json=person) as answer:
                made = await answer.json()
            if offer := COACHES.get(person["email"]):
                await _publish(http, made["userId"], {"Authorization": f"Bearer {made['token']}"}, offer)


async def _publish(http: aiohttp.ClientSession, user_id: str, signed_in: dict[str, str], offer: dict[str, Any]) -> None:
    profile = {"bio": offer["bio"], "specialties": offer["specialties"], "hourlyRate": offer["rate"]}
    async with http.post("/api/coach/profile", json=profile, headers=signed_in) as answer:
        version = (await answer.json())["data"]["version"]
    if offer["rate"]["amount"]:
        back = {"returnUrl": "https://app.example.com/payouts", "refreshUrl": "https://app.example.com/payouts"}
        await http.post("/api/coach/payouts/onboarding", json=back, headers=signed_in)
        await http.post("/_sim/stripe/_control", json={"onboard": {"coachId": user_id, "ready": True}})
        await http.post("/_dev/drain")
    await http.patch("/api/coach/profile", json={"status": "PUBLISHED", "version": version}, headers=signed_in)
    opens, closes = offer["hours"]
    weekly = [{"day": day, "intervals": [{"from": opens, "to": closes}]} for day in WEEK]
    schedule = {"name": "Office hours", "timezone": offer["timezone"], "isDefault": True, "weekly": weekly}
    await http.post("/api/coaching/availability", json=schedule, headers=signed_in)
