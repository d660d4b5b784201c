"""Who may be one person twice: groups made of the links that the database found, scored, explained."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.members import phones
from coachline.members.profiles import MemberStatus
from coachline.models import Output, example
from coachline.pagination import PageQuery, decode_cursor, page

WEIGHTS = {
    "memberKey": (0.9, "The same key, without regard to capitals and punctuation."),
    "licenseNumber": (0.9, "The same licence in the same state, without punctuation and leading zeros."),
    "email": (0.85, "The same e-mail address, without what follows a +."),
    "nationalAssociationId": (0.85, "The same national association ID."),
    "phone": (0.6, "The same phone number."),
    "nameAndCompany": (0.7, "Name and company are nearly the same."),
}
"""How much one reason alone says that two members are one person, 0 to 1, and how it is told."""


_EXAMPLE = ["0f08551d-9a54-47e4-b942-7a387eda5385", "3e2ec15d-3d13-4e0d-a65c-377bd7400497"]


class DuplicateMember(Output):
    """What of a member lets an ADMIN decide."""

    user_id: UUID
    name: str | None
    email: str | None
    company_name: str | None
    member_key: str | None
    license_number: str | None
    license_state: str | None
    phone: str | None
    national_association_id: str | None
    member_status: MemberStatus


class DuplicateReason(Output):
    """What links some of a group. `similarity` of name and company: the share of trigrams they have in common."""

    reason: str
    detail: str
    similarity: float | None
    user_ids: list[UUID]


class DuplicateGroup(Output):
    """Members who may be one person, with the score of the pair that is most likely one (0 to 1), and why."""

    model_config = example(
        score=0.94,
        reasons=[
            {"reason": "phone", "detail": WEIGHTS["phone"][1], "similarity": None, "userIds": _EXAMPLE},
            {"reason": "email", "detail": WEIGHTS["email"][1], "similarity": None, "userIds": _EXAMPLE},
        ],
        members=[],
    )

    score: float
    reasons: list[DuplicateReason]
    members: list[DuplicateMember]


class DuplicateReport(Output):
    """A page of groups, highest score first. `complete` is false when there are more links than are looked at."""

    data: list[DuplicateGroup]
    next_cursor: str | None
    complete: bool


class DuplicateQuery(PageQuery):
    """Groups of at least this score, in percent."""

    minimum_score: Annotated[int, Field(ge=0, le=100)] = 50


Link = tuple[str, float | None, tuple[str, ...]]
"""Reason, similarity where there is one, and whom it links."""


def duplicates(caller: Caller, query: DuplicateQuery) -> dict[str, Any]:
    """A `DuplicateReport` of the members as they are now."""
    return report(as_caller(caller).read("member_duplicates"), query)


def report(found: Mapping[str, Any], query: DuplicateQuery) -> dict[str, Any]:
    """The `DuplicateReport` of the links and people that the database found. Pure."""
    after = decode_cursor(query.cursor, int, str) if query.cursor else None
    links: list[Link] = [(link["reason"], None, tuple(link["members"])) for link in found["same"]]
    links += [("nameAndCompany", float(pair["similarity"]), (pair["one"], pair["other"])) for pair in found["near"]]
    ranked = [
        group
        for group in grouped(links)
        if group["score"] * 100 >= query.minimum_score and (after is None or _key(group) > (-after[0], after[1]))
    ]
    groups, cursor = page(ranked[: query.limit + 1], query.limit, lambda group: (-_key(group)[0], _key(group)[1]))
    shown = [{**group, "members": [_shown(found["people"][user]) for user in group["members"]]} for group in groups]
    return {"data": shown, "next_cursor": cursor, "complete": found["complete"]}


def grouped(links: Iterable[Link]) -> list[dict[str, Any]]:
    """Members linked directly or through others, each group with score, reasons and user ids, most likely first.

    Reasons that link the same two count together as independent ones do: 1 - (1 - a)(1 - b).
    """
    links = list(links)
    root: dict[str, str] = {}
    for _, _, members in links:
        for member in members:
            root[_find(root, member)] = _find(root, members[0])
    doubts: dict[frozenset[str], float] = defaultdict(lambda: 1.0)
    reasons: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for reason, similarity, members in links:
        weight, detail = WEIGHTS[reason]
        for pair in combinations(members, 2):
            doubts[frozenset(pair)] *= 1 - weight * (1.0 if similarity is None else similarity)
        told = {"reason": reason, "detail": detail, "similarity": similarity, "user_ids": sorted(members)}
        reasons[_find(root, members[0])].append(told)
    scores: dict[str, float] = defaultdict(float)
    for linked, doubt in doubts.items():
        top = _find(root, min(linked))
        scores[top] = max(scores[top], round(1 - doubt, 2))
    people: dict[str, list[str]] = defaultdict(list)
    for member in sorted(root):
        people[_find(root, member)].append(member)
    made = [{"score": scores[top], "reasons": reasons[top], "members": members} for top, members in people.items()]
    return sorted(made, key=_key)


def _find(root: dict[str, str], member: str) -> str:
    root.setdefault(member, member)
    while root[member] != member:
        root[member] = root[root[member]]
        member = root[member]
    return member


def _key(group: Mapping[str, Any]) -> tuple[int, str]:
    return -round(group["score"] * 100), group["members"][0]


def _shown(person: dict[str, Any]) -> dict[str, Any]:
    return {**person, "phone": person["phone"] and phones.shown(person["phone"])}
