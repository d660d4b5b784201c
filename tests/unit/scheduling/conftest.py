"""Every zone these tests read comes from the pinned tzdata package, as in production, never from the machine."""

import zoneinfo

# At import, so that no test module can have loaded the machine's own rules before. PYTHONTZPATH="" does the same.
zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()
