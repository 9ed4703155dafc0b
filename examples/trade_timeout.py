"""A trade whose client runs out of patience: cancelled, undone, and reported.

The trade reserves funds, places an order, and waits for somebody to fill it. Nobody does. So the
client's timer cancels the task. The tool is told at its next boundary, cancels the order and releases
the funds, and a second tool reports the timeout. The exchange is a folder, and its ledger shows it.

    pip install "mcp>=2.3"
    target/release/stepwell serve --config examples/stepwell.toml
    python examples/trade_timeout.py http://127.0.0.1:7357/mcp
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


async def timeout_handler(client: Client, task: str, seconds: int) -> None:
    await asyncio.sleep(seconds)
    # A task that has ended in the meantime is answered in the same way.
    await call(client, "tasks/cancel", taskId=task)
    print(f"After {seconds} s it was cancelled.")
    report = await call(client, "notify_timeout", taskId=task, waitedSeconds=seconds)
    print(f"Reported: {report['message']}")


def ledger_of(exchange: Path) -> list[str]:
    """What the exchange was asked to do, one line of JSON for each."""
    file = exchange / "ledger.ndjson"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)["kind"] for line in lines]


async def main(url: str, seconds: int, exchange: Path) -> None:
    before = len(ledger_of(exchange))
    async with Client(url) as client:
        trade = {"name": "trade_execution", "arguments": TRADE}
        created = await call(client, "tasks/create", method="tools/call", params=trade)
        task = created["taskId"]
        print(f"The trade is a task, {task}.")
        timer = asyncio.create_task(timeout_handler(client, task, seconds))
        # It waits as long as it takes, and is done early if the trade is.
        while (result := await call(client, "tasks/getResult", taskId=task, waitMs=10_000)).get("ready") is False:
            status = await call(client, "tasks/getStatus", taskId=task)
            print(f"The trade is {status['status']}: {status.get('message', 'at work')}.")
        if "order" in result:
            timer.cancel()
            print(f"It was settled: {result}")
        else:
            await timer
            print(f"The trade is {result['status']}: {result.get('how')}.")
    print(f"The exchange's ledger: {', '.join(ledger_of(exchange)[before:])}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("url", help="where the server is")
    arguments.add_argument("--seconds", type=int, default=3, help="how long the client waits (3)")
    arguments.add_argument("--exchange", type=Path, default=Path(__file__).parent / "data" / "exchange",
                           help="the folder that is granted to the tool")
    given = arguments.parse_args()
    asyncio.run(main(given.url, given.seconds, given.exchange))
