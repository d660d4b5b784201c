"""What a cold start costs under AWS's own runtime: `make bench-cold`.

Every API function as it was built, beside a handler that does nothing, and slots beside tests/bench/peer. Fails when
slots take more than 0.65 of the peer's time to their first response, both with bytecode.
"""

import compileall
import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.table import machine, say, show
from tests.contract.template_file import folder, functions, group
from tests.runtime.emulator import BUILT, LAYER, Environment, python
from tests.runtime.local import filled, variables
from tests.support.stack import ROOT, Stack, running_stack

ROUNDS = int(os.environ.get("ROUNDS") or 7)
BAR = 0.65
PEER = ROOT / "tests" / "bench" / "peer"
PEER_PACKAGES = ROOT / ".venv-bench" / "python"
BARE = 'def lambda_handler(event, context):\n    return {"statusCode": 200, "headers": {}, "body": ""}\n'
SLOTS, PEER_SLOTS = "coaching_slots", "slots: FastAPI + supabase + stripe"
WITHOUT = ", no bytecode"


@dataclass
class Case:
    """A function with its layer, and what its cold starts took, in milliseconds."""

    name: str
    code: Path
    layer: Path
    sample: str = SLOTS
    init: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def start(self, stack: Stack, log: Path, interpreter: str) -> None:
        event, environment = filled(stack, self.sample), variables(stack, self.sample)
        with Environment(self.code, log, environment, layer=self.layer, python=interpreter) as started:
            answer = started.invoke(event)
            assert answer.value["statusCode"] < 300 or self.sample == "fallback", f"{self.name}: {answer.value}"
            self.init.append(started.init_ms)
            self.total.append(answer.ms)
            self.cpu.append(started.cpu_ms())

    def medians(self) -> list[float]:
        return [statistics.median(figures) for figures in (self.init, self.total, self.cpu)]


def linked(source: Path, target: Path, *, bytecode: bool) -> Path:
    """A copy of a layer, which costs no room."""
    leave_out = None if bytecode else shutil.ignore_patterns("__pycache__")
    shutil.copytree(source, target, copy_function=os.link, ignore=leave_out, dirs_exist_ok=True)
    return target


def peer(work: Path, *, bytecode: bool) -> Case:
    """The peer: its module lies with its packages, so that it too can be compiled."""
    layer = linked(PEER_PACKAGES, work / f"peer-{bytecode}", bytecode=bytecode)
    linked(LAYER / "coachline", layer / "coachline", bytecode=bytecode)
    shutil.copy(PEER / "slots.py", layer / "peer_slots.py")
    if bytecode:
        compileall.compile_dir(layer, quiet=1, maxlevels=0)
    code = handler(work / "peer", "from peer_slots import lambda_handler\n")
    return Case(PEER_SLOTS + ("" if bytecode else WITHOUT), code, layer)


def handler(code: Path, text: str) -> Path:
    code.mkdir(exist_ok=True)
    (code / "app.py").write_text(text)
    return code


def cases(work: Path) -> list[Case]:
    ours = {folder(each).name: BUILT / id_ for id_, each in functions().items() if group(each) == "api"}
    plain = linked(LAYER, work / "layer", bytecode=False)
    return [
        Case("a bare handler", handler(work / "bare", BARE), LAYER),
        *(Case(name, code, LAYER, name) for name, code in ours.items() if name != SLOTS),
        # What is compared is started one after the other, so that both meet the same machine.
        Case(SLOTS, ours[SLOTS], LAYER),
        peer(work, bytecode=True),
        Case(SLOTS + WITHOUT, ours[SLOTS], plain),
        peer(work, bytecode=False),
    ]


def main() -> int:
    # Beside what was built: hard links stay on one disk. Postgres, as another user, has to reach its folder.
    with tempfile.TemporaryDirectory(dir=BUILT.parent) as links, tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        all_cases = cases(Path(links))
        with running_stack(Path(directory) / "stack", {"DEVSTACK_DEMO_DATA": "0"}) as stack:
            say(f"{ROUNDS} rounds on {machine()}")
            interpreter = python()
            for _ in range(ROUNDS):
                for case in all_cases:
                    case.start(stack, Path(directory) / "log", interpreter)
            say(f"load at the end {os.getloadavg()[0]:.1f}; medians in milliseconds\n")
    return report({case.name: case.medians() for case in all_cases})


def report(medians: dict[str, list[float]]) -> int:
    """Print the table and the two ratios."""
    rows = [[name, *map("{:.0f}".format, figures)] for name, figures in medians.items()]
    show(["", "init", "init + first response", "CPU"], rows)
    say()
    ratio = 1.0
    for suffix in (WITHOUT, ""):
        (_, ours, our_cpu), (_, theirs, their_cpu) = medians[SLOTS + suffix], medians[PEER_SLOTS + suffix]
        ratio = ours / theirs
        say(f"slots to the peer's{suffix or ', both with bytecode'}: {ratio:.2f} (CPU {our_cpu / their_cpu:.2f})")
    say(f"bar: {BAR}")
    return int(ratio > BAR)


if __name__ == "__main__":
    sys.exit(main())
