"""Groups of probable duplicates, from links that a database may find."""

from typing import Any

from coachline.members.duplicates import DuplicateQuery, Link, grouped, report


def links(*pairs: str, reason: str = "phone") -> list[Link]:
    return [(reason, None, tuple(pair)) for pair in pairs]


def test_a_chain_is_one_group_with_the_score_of_its_likeliest_pair() -> None:
    for order in (1, -1):
        [group] = grouped([*links("ab", reason="memberKey"), *links("bc", "cd")][::order])
        assert (group["members"], group["score"]) == (["a", "b", "c", "d"], 0.9)
        assert {reason["reason"] for reason in group["reasons"]} == {"memberKey", "phone"}


def test_reasons_for_the_same_two_add_up_and_similarity_weighs() -> None:
    [both] = grouped([*links("ab"), *links("ba", reason="email")])
    assert both["score"] == round(1 - (1 - 0.6) * (1 - 0.85), 2)
    [near] = grouped([("nameAndCompany", 0.8, ("a", "b"))])
    assert near["score"] == round(0.7 * 0.8, 2)


def test_likeliest_first_and_pages_neither_repeat_nor_leave_out() -> None:
    same = [*links("ab", "cd", "ef"), *links("gh", reason="email")]
    person = dict.fromkeys(("name", "phone"))
    found: dict[str, Any] = {
        "same": [{"reason": reason, "members": members} for reason, _, members in same],
        "near": [],
        "people": {member: {"user_id": member, **person} for member in "abcdefgh"},
        "complete": True,
    }
    seen, cursor = [], None
    for _ in range(2 * len(same)):
        page = report(found, DuplicateQuery(limit=1, cursor=cursor))
        seen += ["".join(member["user_id"] for member in group["members"]) for group in page["data"]]
        if not (cursor := page["next_cursor"]):
            break
    assert seen == ["gh", "ab", "cd", "ef"]
    assert [group["score"] for group in report(found, DuplicateQuery.model_validate({"minimumScore": 61}))["data"]] == [
        0.85
    ]
