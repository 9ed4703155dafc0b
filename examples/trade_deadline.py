"""The same trade, overrunning its own deadline: nobody has to watch it.

The deadline is the task's. When it comes, the server asks the tool to stop, whoever is connected or
is not, and the tool has its grace to cancel the order and release the funds. The task ends as failed,
says that it was the deadline, and that it ended cleanly. The exchange is a folder, and its ledger
shows it.

    pip install "mcp>=2.3"
    target/release/stepwell serve --config examples/stepwell.toml
    python examples/trade_deadline.py http://127.0.0.1:7357/mcp
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from pathlib import Path
from typing import Any

from mcp import Client

# The SDK warns of tools that are not in the list, and the words for tasks are not.
logging.basicConfig(level=logging.ERROR)

TRADE = {
    "account": "ada", "symbol": "WASM", "side": "buy", "quantity": 3, "price_cents": 1250,
    # The order is filled by somebody else, if at all, and looked at every minute.
    "fill": "external", "poll_ms": 60_000,
}


async def call(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """Calls a tool, or one of the words for tasks, which are called like tools."""
    return (await client.call_tool(name, arguments)).structured_content


def ledger_of(exchange: Path) -> list[str]:
    """What the exchange was asked to do, one line of JSON for each."""
    file = exchange / "ledger.ndjson"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)["kind"] for line in lines]


async def main(url: str, seconds: int, exchange: Path) -> None:
    before = len(ledger_of(exchange))
    async with Client(url) as client:
        trade = {"name": "trade_execution", "arguments": TRADE}
        created = await call(client, "tasks/create", method="tools/call", params=trade, deadline=seconds * 1000)
        task = created["taskId"]
        print(f"The trade is a task, {task}, and has {seconds} s.")
    print("Its client has disconnected.")
    await asyncio.sleep(seconds)
    async with Client(url) as client:
        # Its deadline is over, but it may still be at undoing the trade.
        result = await call(client, "tasks/getResult", taskId=task, waitMs=20_000)
        print(f"The trade is {result.get('status')}: {result.get('kind')}, {result.get('how')}.")
    print(f"The exchange's ledger: {', '.join(ledger_of(exchange)[before:])}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("url", help="where the server is")
    arguments.add_argument("--seconds", type=int, default=3, help="how long the trade may take (3)")
    arguments.add_argument("--exchange", type=Path, default=Path(__file__).parent / "data" / "exchange",
                           help="the folder that is granted to the tool")
    given = arguments.parse_args()
    asyncio.run(main(given.url, given.seconds, given.exchange))
