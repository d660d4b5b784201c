"""The one table of what member data is: fields under RESO's names, and the rules that hold for them.

It is read by `checks` (every write, the dry run, the import), by the form's schema, by the API's document and by
docs/member-data.md. Names, lengths and values are those of RESO's Data Dictionary 2.0, resource Member, but for the
lengths of what is on the account; what is said of them is ours. Lengths count characters.
"""

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from pydantic.alias_generators import to_camel

Kind = Literal["text", "lines", "one", "many", "date", "phone"]
Severity = Literal["error", "warning"]

STATUSES = {"ACTIVE": "Active", "INACTIVE": "Inactive", "PENDING": "Inactive", "SUSPENDED": "Inactive"}
"""Ours, and the value of RESO's that an export says instead."""

_PUBLISHED = json.loads(resources.files(__package__).joinpath("lookups.json").read_text("utf-8"))
LOOKUPS: dict[str, tuple[str, ...]] = {
    "MemberStatus": tuple(STATUSES),
    **{name: tuple(values) for name, values in _PUBLISHED.items()},
}
"""The values of each lookup, in their order; `many` keeps it."""


@dataclass(frozen=True)
class Field:
    """A field of a member: its column, what a form calls it, RESO's name, and how it is entered."""

    name: str
    label: str
    reso: str
    kind: Kind
    example: Any
    entry: str
    length: int | None = None
    lookup: str | None = None
    seen_by: str = "the member, ADMIN"

    @property
    def empty(self) -> Any:
        """What is stored when nothing is entered; where that is no null, the API takes no null."""
        return [] if self.kind == "many" else "PENDING" if self.name == "member_status" else None

    @property
    def json(self) -> str:
        """The name in the API."""
        return to_camel(self.name)


@dataclass(frozen=True)
class Rule:
    """A rule for one field. It applies where all of `roles` (any of them), `statuses` and `states` that are given fit.

    `check` names a function of `checks`, `argument` is what it compares with, `fails` a value that breaks the rule.
    """

    field: str
    check: str
    argument: Any
    message: str
    fails: Any
    severity: Severity = "error"
    roles: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    with_field: str | None = None

    @property
    def id(self) -> str:
        """Stable, and unique: the field and the check, and the state where it is one state's."""
        return ".".join([to_camel(self.field), self.check, *(state.lower() for state in self.states)])


FIELDS = (
    Field("member_key", "Member key", "MemberKey", "text", "M-10442", "The key of your system of record. Unique.", 255),
    Field("member_mls_id", "MLS ID", "MemberMlsId", "text", "MLS-20817", "As the MLS writes it.", 25),
    Field(
        "member_status",
        "Status",
        "MemberStatus",
        "one",
        "ACTIVE",
        "PENDING until the data are complete. Only an administrator sets or lifts SUSPENDED.",
        lookup="MemberStatus",
    ),
    Field(
        "member_type",
        "Member type",
        "MemberType",
        "one",
        "REALTOR Salesperson",
        "One of the list; capitals do not matter.",
        lookup="MemberType",
    ),
    Field(
        "designations",
        "Designations",
        "MemberDesignation",
        "many",
        ["Certified Residential Specialist / CRS"],
        "Each once: in full, by its name, or by its abbreviation (CRS, GRI, ABR); stored in full, in the list's order.",
        lookup="MemberDesignation",
    ),
    Field(
        "license_number",
        "Licence number",
        "MemberStateLicense",
        "text",
        "01234567",
        "As printed on the licence, leading zeros too. Stored in capitals. Unique within its state.",
        50,
    ),
    Field(
        "license_state",
        "Licence state",
        "MemberStateLicenseState",
        "one",
        "CA",
        "The two letters of the state or province.",
        lookup="StateOrProvince",
    ),
    Field(
        "license_expiration",
        "Licence expires",
        "MemberStateLicenseExpirationDate",
        "date",
        "2028-06-30",
        "The last day on which the licence holds, as YYYY-MM-DD.",
    ),
    Field(
        "license_type",
        "Licence type",
        "MemberStateLicenseType",
        "text",
        "Salesperson",
        "In the state's words: Salesperson, Broker, Appraiser.",
        30,
    ),
    Field(
        "company_name",
        "Company",
        "OfficeName",
        "text",
        "Harbor Street Realty, LLC",
        "The brokerage's legal name.",
        255,
    ),
    Field(
        "phone",
        "Phone",
        "MemberPreferredPhone",
        "phone",
        "212-555-0142",
        "North American numbers in any usual form, others with + and the country. Shown as ###-###-####.",
        16,
    ),
    Field(
        "national_association_id",
        "National association ID",
        "MemberNationalAssociationId",
        "text",
        "084001234",
        "The NRDS (M1) number: nine digits, leading zeros too.",
        25,
    ),
    Field(
        "aor",
        "Association",
        "MemberAOR",
        "text",
        "Hudson Gateway Association of REALTORS",
        "The local association or board of REALTORS.",
        50,
    ),
    Field(
        "languages",
        "Languages",
        "MemberLanguages",
        "many",
        ["English", "Spanish"],
        "Each once, by its English name.",
        lookup="Languages",
    ),
    Field(
        "bio",
        "Biography",
        "MemberBio",
        "lines",
        "Fifteen years of waterfront listings.",
        "A few sentences; line breaks are kept.",
        1024,
    ),
)

_NAME = "As on the licence, without titles or designations. Changed by PATCH /api/user."
_SEEN_NAME = "the other party of a session; everyone, of a published coach"
ON_ACCOUNT = (
    Field("first_name", "First name", "MemberFirstName", "text", "Casey", _NAME, 100, seen_by=_SEEN_NAME),
    Field("last_name", "Last name", "MemberLastName", "text", "Morgan", _NAME, 100, seen_by=_SEEN_NAME),
    Field("email", "E-mail", "MemberEmail", "text", "casey@example.com", "Changed where you sign in.", 320),
)


def _of_kind(field: Field) -> list[Rule]:
    """What every field of a kind has to satisfy."""
    name = field.name
    long = "x" * ((field.length or 0) + 1)
    match field.kind:
        case "text":
            kind = Rule(name, "text", None, "Must be text on one line, without control characters.", "a\u0007b")
            return [kind, Rule(name, "length", field.length, f"Must have at most {field.length} characters.", long)]
        case "lines":
            kind = Rule(name, "lines", None, "Must be text, without control characters.", "a\u0007b")
            return [kind, Rule(name, "length", field.length, f"Must have at most {field.length} characters.", long)]
        case "one":
            return [Rule(name, "one", field.lookup, f"Must be one of the values of {field.reso}.", "Wizard")]
        case "many":
            return [Rule(name, "many", field.lookup, f"Must be values of {field.reso}, in a list.", ["Wizardry"])]
        case "phone":
            message = "Must be a phone number: North American, or with + and the country's code."
            return [Rule(name, "phone", None, message, "12-34")]
        case "date":
            return [Rule(name, "date", None, "Must be a date that exists, as YYYY-MM-DD.", "2027-02-30")]


RULES = (
    *(rule for field in FIELDS for rule in _of_kind(field)),
    Rule("license_number", "required", None, "An active coach needs it.", None, roles=("COACH",), statuses=("ACTIVE",)),
    Rule("license_state", "required", None, "An active coach needs it.", None, roles=("COACH",), statuses=("ACTIVE",)),
    # Held by indexes of the database, which alone sees everyone's.
    Rule("member_key", "unique", None, "Another member has this key.", "M-10442"),
    Rule("license_number", "unique", None, "Another member has this licence.", "01234567"),
    # A licence issued before the state licensed anyone, or for longer than any state does, is a slip of the keyboard.
    Rule("license_expiration", "since", "1950-01-01", "Must not lie before 1950.", "0027-06-30"),
    Rule("license_expiration", "years_ahead", 20, "Must not lie more than 20 years ahead.", "2828-06-30"),
    Rule("license_expiration", "not_past", None, "The licence has expired.", "2001-01-31", "warning"),
    Rule(
        "license_state",
        "paired",
        None,
        "A licence number says little without its state.",
        None,
        "warning",
        with_field="license_number",
    ),
    # No state's authority promises a form, so none of these may reject (California: DRE form RE 559; Florida: DBPR).
    Rule(
        "license_number",
        "matches",
        r"^[0-9]{8}$",
        "Californian licence numbers have eight digits.",
        "1234567",
        "warning",
        states=("CA",),
    ),
    Rule(
        "license_number",
        "matches",
        r"^(BK|SL|BL|BO|CQ|PR)[0-9]+$",
        "Floridian licence numbers are two letters (BK, SL, BL, BO, CQ or PR) and digits.",
        "3456789",
        "warning",
        states=("FL",),
    ),
    Rule(
        "license_number",
        "matches",
        r"^[A-Z0-9]([A-Z0-9 ./-]*[A-Z0-9])?$",
        "Licence numbers are letters and digits, with spaces, dots, slashes or hyphens between.",
        "#77",
        "warning",
    ),
    Rule(
        "national_association_id",
        "matches",
        r"^[0-9]{9}$",
        "An NRDS (M1) number has nine digits.",
        "84001234",
        "warning",
    ),
    Rule(
        "phone",
        "matches",
        r"^\+(1[2-9][0-9]{2}[2-9][0-9]{6}|[2-9][0-9]+)$",
        "No North American number is like this: area code and exchange begin with 2 to 9.",
        "212-155-0142",
        "warning",
    ),
)


def rules_of(field: Field) -> list[Rule]:
    """A field's rules, in the order in which they are looked at."""
    return [rule for rule in RULES if rule.field == field.name]
