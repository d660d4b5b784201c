"""The database for consumers and jobs: the stock Supabase client with the secret key, past row-level security."""

from functools import cache

import httpx
from postgrest import SyncPostgrestClient
from supabase import create_client
from supabase.lib.client_options import SyncClientOptions

from coachline import secrets
from coachline.database import Database, http_client, patient_client
from coachline.settings import api_settings


def as_service(patience: float | None = None) -> Database:
    """The service's own view of the database; one client per execution environment.

    `patience`: seconds to wait for an answer, for work whose statement is allowed more time than others.
    """
    return Database(_client(secrets.load().supabase_secret_key, patience))


@cache
def _client(key: str, patience: float | None) -> SyncPostgrestClient:
    connections = patient_client(httpx.Timeout(patience, connect=2.0)) if patience else http_client
    options = SyncClientOptions(
        httpx_client=connections, postgrest_client_retry=False, auto_refresh_token=False, persist_session=False
    )
    return create_client(api_settings().supabase_url, key, options).postgrest
