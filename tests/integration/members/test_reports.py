"""Reports on everyone's member data: probable duplicates with their reasons, and the state of the data in figures."""

from typing import Any
from uuid import uuid4

from tests.integration.members.test_member import licensed
from tests.support.stack import SignedIn, Stack


def member(stack: Stack, first: str, last: str, **data: Any) -> SignedIn:
    made = stack.user(first_name=first, last_name=last)
    answer = made.put("/api/user/member", {"version": 0, **data})
    assert answer.status_code == 200, answer.text
    return made


def test_probable_duplicates_are_grouped_with_score_and_reasons(stack: Stack) -> None:
    word, line = uuid4().hex[:10], str(uuid4().int)[:4]
    company, phone = f"{word} Street Realty", f"415-786-{line}"
    one = member(stack, "Jonathan", f"Smith{word}", companyName=company, phone=phone)
    two = member(stack, "Jonathan", f"Smyth{word}", companyName=f"{company} LLC", phone=phone, memberKey=f"K-{word}")
    three = member(stack, "Mary", "Else", memberKey=f"k{word}")
    member(stack, "Mary", "Elsewhere", companyName="Nowhere")

    answer = stack.user("ADMIN").get("/api/members/duplicates", params={"limit": 100})
    assert answer.status_code == 200, answer.text
    everyone = {one.user_id, two.user_id, three.user_id}
    [group] = [g for g in answer.json()["data"] if {m["userId"] for m in g["members"]} & everyone]
    assert {m["userId"] for m in group["members"]} == everyone
    reasons = {reason["reason"]: reason for reason in group["reasons"]}
    assert set(reasons["phone"]["userIds"]) == set(reasons["nameAndCompany"]["userIds"]) == {one.user_id, two.user_id}
    assert set(reasons["memberKey"]["userIds"]) == {two.user_id, three.user_id}
    assert 0.7 <= reasons["nameAndCompany"]["similarity"] < 1
    assert group["score"] == 0.9
    assert answer.json()["complete"] is True


def test_the_report_counts_what_is_there_and_what_rules_doubt(stack: Stack) -> None:
    admin, coach = stack.user("ADMIN"), stack.user("COACH")

    def report() -> dict[str, Any]:
        found: dict[str, Any] = admin.get("/api/members/report").raise_for_status().json()["data"]
        return found

    before = report()
    odd = licensed(licenseNumber=f"x{uuid4().hex[:10]}", licenseExpiration="2001-01-31")
    assert coach.put("/api/user/member", odd).status_code == 200
    promoted = member(stack, "Pat", "Promoted", memberStatus="ACTIVE")
    roles = admin.get("/api/user/role", params={"userId": promoted.user_id}).json()["data"]
    role = {"userId": promoted.user_id, "roles": ["COACH"], "reason": "Approved", "version": roles["version"]}
    assert admin.put("/api/user/role", role).status_code == 200
    after = report()

    def rules(found: dict[str, Any]) -> dict[str, int]:
        return {each["rule"]: each["members"] for each in found["open"]}

    grown = {rule: count - rules(before).get(rule, 0) for rule, count in rules(after).items()}
    assert {rule: more for rule, more in grown.items() if more} == {
        "licenseExpiration.not_past": 1,
        "licenseNumber.matches.ca": 1,
        "licenseNumber.required": 1,
        "licenseState.required": 1,
    }
    assert after["members"] == before["members"] + 2
    assert after["licenses"]["expired"] == before["licenses"]["expired"] + 1
    assert len(after["changesPerWeek"]) == 12
    assert after["changesPerWeek"][-1]["changes"] > before["changesPerWeek"][-1]["changes"]


def test_an_address_with_an_addition_is_the_same_address(stack: Stack) -> None:
    name = uuid4().hex[:10]
    people = []
    for address in (f"{name}@example.com", f"{name.upper()}+mls@example.com"):
        made = stack.http.post("/_dev/users", json={"email": address, "firstName": "A", "roles": ["MENTEE"]}).json()
        assert stack.client(made["token"]).put("/api/user/member", json={"version": 0}).status_code == 200
        people.append(made["userId"])
    answer = stack.user("ADMIN").get("/api/members/duplicates", params={"limit": 100})
    [group] = [g for g in answer.json()["data"] if {m["userId"] for m in g["members"]} & set(people)]
    assert [reason["reason"] for reason in group["reasons"]] == ["email"]
    assert {member["userId"] for member in group["members"]} == set(people)


def test_a_licence_expires_after_its_last_day_and_an_empty_list_is_not_filled(frozen: Stack) -> None:
    admin = frozen.user("ADMIN")
    frozen.clock("2027-03-01T12:00:00Z")

    def report() -> tuple[int, int, int]:
        found = admin.get("/api/members/report").raise_for_status().json()["data"]
        filled = {each["field"]: each["filled"] for each in found["completeness"]}
        return found["licenses"]["expired"], found["licenses"]["within30Days"], filled.get("designations", 0)

    expired, soon, designated = report()
    member(frozen, "Pat", "Today", licenseExpiration="2027-03-01", designations=[])
    assert report() == (expired, soon + 1, designated)
    member(frozen, "Pat", "Yesterday", licenseExpiration="2027-02-28", designations=["CRS"])
    assert report() == (expired + 1, soon + 1, designated + 1)
