"""What the clients in Python share: a line for each check, and how many there were."""

from __future__ import annotations

import sys
from typing import Any

passed = 0
failed = 0


def check(what: str, holds: bool, seen: Any = None) -> None:
    global passed, failed
    if holds:
        passed += 1
        print(f"  ok    {what}")
    else:
        failed += 1
        print(f"  WRONG {what}: {seen!r}")


def finish() -> None:
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


def text(result: Any) -> str:
    return result.content[0].text if result.content else ""
