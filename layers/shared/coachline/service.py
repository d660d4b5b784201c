"""The database for consumers and jobs: the stock Supabase client with the secret key, past row-level security."""

from functools import cache

from postgrest import SyncPostgrestClient
from supabase import create_client
from supabase.lib.client_options import SyncClientOptions

from coachline import secrets
from coachline.database import Database, http_client
from coachline.settings import api_settings


def as_service() -> Database:
    """The service's own view of the database; one client per execution environment."""
    return Database(_client(secrets.load().supabase_secret_key))


@cache
def _client(key: str) -> SyncPostgrestClient:
    options = SyncClientOptions(
        httpx_client=http_client, postgrest_client_retry=False, auto_refresh_token=False, persist_session=False
    )
    return create_client(api_settings().supabase_url, key, options).postgrest
