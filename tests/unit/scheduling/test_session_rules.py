"""The table of docs/sessions.md leaves no row of rules.sql out, and no rule leaves the machine."""

import re
import runpy

from tests.contract.template_file import ROOT

DOCS = runpy.run_path(str(ROOT / "scripts/session_docs.py"))


def test_every_row_of_the_sql_is_read() -> None:
    body = DOCS["RULES"].read_text().partition("session_rules()")[2].partition("$$;")[0]
    assert len(DOCS["rules"]()) == len(re.findall(r"^    \('", body, re.MULTILINE)) == 12


def test_rules_and_machine_name_the_same_ways() -> None:
    machine = (ROOT / "prisma/sql/functions/sessions/session.sql").read_text()
    ways = {
        (before, after)
        for before, row in re.findall(r"when '(\w+)' then after::text in \(([^)]+)\)", machine)
        for after in re.findall(r"\w+", row)
    }
    changes = [rule for rule in DOCS["rules"]() if rule.action != "reschedule"]
    ruled = {(before, rule.to_status) for rule in changes for before in rule.from_status}
    assert ruled == ways
