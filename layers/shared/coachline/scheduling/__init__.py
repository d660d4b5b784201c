"""When a coach can be booked. The one package that exports from its top: the contract names these two here.

Everything in `schedule`, `precedence`, `slots` and `local_time` is pure: plain values in, plain values out.
"""

from coachline.scheduling.schedule import Schedule
from coachline.scheduling.slots import open_slots

__all__ = ["Schedule", "open_slots"]
