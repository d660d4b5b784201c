"""Many members made by SQL, in the proportions of a roster; every 500th is the one before him again."""

from tests.support.stack import Stack

_PEOPLE = """
insert into user_account (clerk_id, email, first_name, last_name)
select format('bulk_%%s_%%s', %(tag)s::text, i), format('agent%%s.%%s@example.com', i, %(tag)s::text),
       initcap(translate(substr(md5('f' || j %% 900), 1, 6), '0123456789', 'aeioumnrst')),
       initcap(translate(substr(md5('l' || j * 7919 %% 6007), 1, 8), '0123456789', 'aeioumnrst'))
from generate_series(1, %(count)s) i, lateral (select i - (i %% 500 = 0)::integer as j) twin"""

_MEMBERS = """
insert into member_profile (user_id, member_key, member_status, member_type, designations, license_number,
                            license_state, license_expiration, company_name, phone, national_association_id, bio)
select u.id, format('%%s-%%s', %(tag)s::text, i),
       (array['ACTIVE', 'ACTIVE', 'ACTIVE', 'INACTIVE', 'PENDING'])[1 + i %% 5]::member_status,
       (array['REALTOR Salesperson', 'REALTOR Broker Associate', 'MLS Staff'])[1 + i %% 3],
       case when i %% 3 = 0 then array['Certified Residential Specialist / CRS'] else '{}' end,
       upper(format('%%s%%s', %(tag)s::text, i)), (array['NY', 'CA', 'TX', 'FL'])[1 + i %% 4],
       date '2027-01-01' + i %% 1500,
       initcap(translate(substr(md5('c' || j * 31 %% 1201), 1, 7), '0123456789', 'aeioumnrst'))
         || (array[' Realty', ' Homes', ' Real Estate Group'])[1 + j %% 3],
       format('+1%%s%%s', (array['212', '305', '512', '415'])[1 + j %% 4], 2000000 + j), lpad(i::text, 9, '0'), 'A bio.'
from (select id, split_part(clerk_id, '_', 3)::integer as i from user_account
      where clerk_id like 'bulk\\_' || %(tag)s::text || '\\_%%')
      u, lateral (select i - (i %% 500 = 0)::integer as j) twin"""


def make_roster(stack: Stack, count: int, *, tag: str) -> None:
    """`count` members whose keys begin with `tag`, without history: nobody made them."""
    with stack.database() as database, database.transaction():
        database.execute("alter table member_profile disable trigger user")
        database.execute("alter table user_account disable trigger user")
        database.execute(_PEOPLE, {"count": count, "tag": tag})
        database.execute(_MEMBERS, {"tag": tag})
        database.execute("alter table user_account enable trigger user")
        database.execute("alter table member_profile enable trigger user")
    with stack.database() as database:
        database.execute("analyze user_account, member_profile")
