"""What follows for a route from its mark, the roles and whose row it names; and the page that shows it."""

import pytest

from tests.contract.template_file import ROOT
from tests.support.permissions import CALLERS, Route, all_routes, expected


def test_every_route_says_what_every_caller_gets() -> None:
    """Fails with what to add when a route names a row and nothing says whose it is."""
    found = {expected(route, caller) for route in all_routes() for caller in CALLERS}
    assert found <= {"yes", "own", "401", "403", "404"}
    assert len(all_routes()) >= 23


def test_a_new_route_with_an_id_has_to_say_whose_row_it_names() -> None:
    new = Route("GET", "/api/diaries/{id}", "signed_in", "session:read")
    assert expected(new, "MENTEE") == "yes"
    with pytest.raises(LookupError, match="Add the path to OWNED"):
        expected(new, "other owner")


def test_a_permission_of_admins_alone_needs_no_owner() -> None:
    assert expected(Route("GET", "/api/diaries/{id}", "signed_in", "role:manage"), "other owner") == "403"


def test_the_page_shows_the_routes() -> None:
    assert (ROOT / "docs/roles.md").read_text().count("| `GET /api/sessions/{id}` |") == 1
