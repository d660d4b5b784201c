"""What tests of payments share."""

import json

import pytest

from coachline.notifications.catalogue import TYPES
from tests.support.stack import Stack

FOR_ADMINS = [kind.type for kind in TYPES if "role:ADMIN" in kind.audience]


@pytest.fixture(scope="module", autouse=True)
def _other_admins_get_no_mail(stack: Stack) -> None:
    """Other tests have left hundreds of ADMINs in the stack, and each dispute would be mailed to all of them."""
    choices = {name: {"email": False, "in_app": False} for name in FOR_ADMINS}
    with stack.database() as database:
        database.execute(
            """insert into notification_preference (user_id, choices)
               select user_id, %s from user_role where role = 'ADMIN' on conflict (user_id) do nothing""",
            [json.dumps(choices)],
        )
