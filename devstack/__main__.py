"""python -m devstack serve: run the local stack; reset: forget its data; demo: tell the booking story against it."""

import asyncio
import os
import shutil
import stat
import sys

from devstack import demo
from devstack.config import Config, StackError
from devstack.stack import Stack


def reset(config: Config) -> None:
    """Remove the stack's folder, and nothing that is not one; a stack that runs in it is stopped by nobody but you."""
    if not config.directory.exists():
        return
    if not (config.directory / "keys.json").exists():
        raise StackError(f"{config.directory} is not a stack's folder: it was left alone")
    Stack(config).lock()
    shutil.rmtree(config.directory)


def make_folder(config: Config) -> None:
    """Make the stack's folder; StackError when nothing can be kept there."""
    try:
        config.directory.mkdir(parents=True, exist_ok=True)
        (config.directory / "lock").open("a").close()
    except OSError as error:
        reason = f"{config.directory} cannot be used ({error.strerror})"
        raise StackError(f"{reason}: mend that, or choose another DEVSTACK_DIR") from None


def main() -> int:
    if stat.S_ISFIFO(os.fstat(1).st_mode):
        os.set_blocking(1, False)  # whoever pipes the log somewhere must not be able to stop the stack
    try:
        match sys.argv[1:]:
            case ["serve"]:
                make_folder(config := Config.from_env())
                asyncio.run(Stack(config).run())
            case ["reset"]:
                reset(Config.from_env())
            case ["demo"]:
                demo.main(Config.from_env())
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
