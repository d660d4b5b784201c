"""Makes the first ADMIN: DATABASE_URL=postgresql://… .venv/bin/python scripts/first_admin.py ada@example.com

He has signed up before, with that address verified at Clerk. Refuses when there is an ADMIN already.
"""

import os
import sys

import psycopg


def main() -> None:
    url, arguments = os.environ.get("DATABASE_URL"), sys.argv[1:]
    if not url or len(arguments) != 1:
        sys.exit(__doc__)
    try:
        with psycopg.connect(url) as connection:
            row = connection.execute("select private.make_first_admin(%s)", arguments).fetchone()
    except psycopg.errors.RaiseException as refusal:
        sys.exit(f"Refused: {refusal.diag.message_primary}")
    except psycopg.Error as error:
        sys.exit(f"The database said: {str(error).strip()}")
    sys.stdout.write(f"{arguments[0]} is ADMIN now: user {row[0] if row else ''}.\n")


if __name__ == "__main__":
    main()
