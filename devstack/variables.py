"""The variables that Lambda itself sets."""

import sys

from devstack.intrinsics import REGION
from devstack.template import Function


def lambda_variables(function: Function) -> dict[str, str]:
    """What a function finds in its environment besides what the template says."""
    group = f"/aws/lambda/{function.name}"
    own = {"FUNCTION_NAME": function.name, "FUNCTION_VERSION": "$LATEST", "FUNCTION_MEMORY_SIZE": str(function.memory)}
    own |= {"LOG_GROUP_NAME": group, "LOG_STREAM_NAME": "local", "INITIALIZATION_TYPE": "on-demand"}
    return {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "local"),
        **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), REGION),
        **{f"AWS_LAMBDA_{name}": value for name, value in own.items()},
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python3.{sys.version_info.minor}",
        "LAMBDA_TASK_ROOT": str(function.code_dir),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
        "_HANDLER": function.handler,
    }
