"""docs/member-data.md is what the rule table says, and names every refusal there is."""

import re
from pathlib import Path

from coachline.members.rules import RULES

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "docs/member-data.md", ROOT / "docs/member-files.md"]
TEXT = "\n".join(page.read_text() for page in PAGES)


def codes(pattern: str, *sources: str) -> set[str]:
    files = (path for source in sources for path in (ROOT / source).glob("*.*") if path.suffix in {".py", ".sql"})
    return {found for path in files for found in re.findall(pattern, path.read_text())}


def test_every_rule_stands_there_once_with_what_breaks_it() -> None:
    for rule in RULES:
        [line] = [line for line in PAGES[0].read_text().splitlines() if line.startswith(f"| `{rule.id}` |")]
        assert rule.message in line


def test_every_refusal_of_member_data_has_a_cause_and_a_remedy() -> None:
    refused = codes(
        r"private\.refuse\(\d+, '(\w+)'", "prisma/sql/functions/members", "prisma/sql/functions/member_files"
    )
    raised = codes(r"code=\"(\w+)\"", "layers/shared/coachline/members")
    faults = codes(r"CsvFault\(\s*\"(\w+)\"", "layers/shared/coachline/members")
    assert len(refused) >= 5
    assert len(faults) >= 12
    assert {code for code in refused | raised | faults if f"`{code}`" not in TEXT} == set()


def test_every_finding_of_an_import_that_no_rule_has_is_explained() -> None:
    own = codes(r"_finding\([^,]+, \"([\w.]+)\"", "layers/shared/coachline/members")
    own |= codes(r"'(row\.\w+|\w+\.unique)'", "prisma/sql/functions/member_files")
    assert {"row.fields", "row.unknown", "email.account"} <= own
    assert {rule for rule in own if f"`{rule}`" not in TEXT} == set()
