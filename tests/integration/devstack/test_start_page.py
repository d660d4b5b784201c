"""The page at /: everyone of the demo can be signed in from it, and what it links to is there."""

import html
import json
import re
import subprocess
from uuid import uuid4

import httpx
import pytest

from devstack.demo_data import PEOPLE
from tests.support.stack import Stack


@pytest.fixture
def page(stack: Stack) -> httpx.Response:
    for person in PEOPLE:
        stack.http.post("/_dev/users", json=person).raise_for_status()
    return stack.http.get("/").raise_for_status()


def lines(page: httpx.Response) -> list[str]:
    return [html.unescape(line) for line in re.findall(r"<pre>(.*?)</pre>", page.text, re.DOTALL)]


def test_everyone_of_the_demo_is_listed_with_roles(page: httpx.Response) -> None:
    for person in PEOPLE:
        name = f"{person['firstName']} {person['lastName']}"
        [card] = re.findall(rf"<li data-user=[^>]*><h3>{name}.*?</li>", page.text, re.DOTALL)
        assert person["email"] in card.lower()
        assert re.findall(r'<span class="role">(\w+)</span>', card) == person["roles"]


def test_an_address_spelled_in_capitals_is_the_same_person(stack: Stack) -> None:
    ada = PEOPLE[0]
    user = stack.http.post("/_dev/users", json={**ada, "email": ada["email"].upper()}).raise_for_status().json()
    stack.drain()
    with stack.database() as database:
        # As it is for whoever signed up so.
        database.execute("update user_account set email = %s where id = %s", [ada["email"].upper(), user["userId"]])
    assert f'data-user="{user["userId"]}"><h3>Ada Admin' in stack.http.get("/").text


def test_the_line_of_a_person_answers_as_it_stands(page: httpx.Response) -> None:
    signed_in = [line for line in lines(page) if "Authorization: Bearer" in line][: len(PEOPLE)]
    for line in signed_in:
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
        answer = json.loads(done.stdout)
        # Coaches are there, but nobody published a profile: the demo's hours are not this test's business.
        assert "data" in answer or answer["detail"] == "There is no such coach.", answer


def test_its_links_answer(stack: Stack, page: httpx.Response) -> None:
    targets = set(re.findall(r'href="(/[^"]*|#[^"]*)"', page.text))
    assert {"/api/docs", "/api/openapi.json", "/_dev/emails", "/_dev/events", "/_dev/queues"} <= targets
    assert {f"/_sim/{name}/_control" for name in stack.info["simulators"]} <= targets
    for target in targets:
        if target.startswith("#"):
            assert f'id="{target[1:]}"' in page.text
        else:
            assert stack.http.get(target).status_code == 200, target


def test_a_simulator_shows_what_it_answers_and_its_faults(stack: Stack) -> None:
    for name in stack.info["simulators"]:
        path = f"/_sim/{name}/_control"
        shown = stack.http.get(path).json()
        assert f"POST {path}" in shown["routes"]
        # Which there are is for the tests to say that set them, and the stack is theirs as well.
        assert isinstance(shown["faults"], list)


def test_it_holds_no_token_and_fetches_nothing_from_elsewhere(stack: Stack, page: httpx.Response) -> None:
    assert re.findall(r"eyJ[\w-]+\.", page.text) == []
    assert stack.info["secretKey"] not in page.text
    assert [url for url in re.findall(r"https?://[^\s'\"<]+", page.text) if not url.startswith(stack.base_url)] == []
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_what_people_call_themselves_is_shown_as_text(stack: Stack) -> None:
    name = f"<script>{uuid4().hex}</script>{{}}$url"
    with stack.database() as database:  # the newest are shown, also those of a test whose clock ran ahead
        database.execute("update user_account set created_at = now() where created_at > now()")
    stack.user("MENTEE", first_name=name, last_name="")
    page = stack.http.get("/").text
    assert name not in page
    assert html.escape(name) in page


def test_it_says_whether_the_clock_stands(frozen: Stack) -> None:
    frozen.clock("2027-03-08T14:00:00Z")
    assert "is <strong>pinned</strong> at" in frozen.http.get("/").text
    assert "2027-03-08T14:00:00Z" in frozen.http.get("/").text
    frozen.clock(None)
    assert "The clock runs" in frozen.http.get("/").text


def test_it_shows_every_queue(stack: Stack, page: httpx.Response) -> None:
    for queue in stack.http.get("/_dev/queues").json()["queues"]:
        assert f'<th scope="row">{queue["name"]}</th>' in page.text


def test_only_looking_is_the_page_s_business(stack: Stack) -> None:
    """The template has no route at /, so everything else there is answered as the deployed API answers it."""
    answer = stack.http.post("/", json={})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/_dev/info", "/_sim/clerk/.well-known/jwks.json"])
def test_a_foreign_name_for_this_machine_shows_no_keys_and_sign_ins(stack: Stack, path: str) -> None:
    port = stack.base_url.rpartition(":")[2]
    for name, status in (
        ("rebound.example.com", 421),
        (f"rebound.example.com:{port}", 421),
        (f"localhost:{port}", 200),
    ):
        assert stack.http.get(path, headers={"Host": name}).status_code == status, name
