"""An ETL pipeline that outlives its server: started as a task, left alone, fetched later.

A pipeline over many orders takes longer than anybody wants to keep a call open. So it is made a
task. While it is at work another tool is called, and the server is killed in the middle of it. When
the server is there again, the task goes on after the last step that it had finished, and its result
is fetched as if nothing had happened.

    pip install "mcp>=2.3"
    mkdir -p examples/data/in examples/data/out examples/data/exchange
    python examples/etl_as_a_task.py http://127.0.0.1:7357/mcp \\
        --server-command "target/release/stepwell serve --config examples/stepwell.toml"

Without --server-command it talks to a server that is running already, and says when to kill it.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import logging
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mcp import Client

# The SDK warns of tools that are not in the list, and the words for tasks are not.
logging.basicConfig(level=logging.ERROR)

ENDED = ("completed", "failed", "cancelled")
REGIONS = ("north", "south", "east", "west")


async def call(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """Calls a tool, or one of the words for tasks, which are called like tools."""
    result = await client.call_tool(name, arguments)
    if result.is_error:
        raise SystemExit(f"{name}: {result.content[0].text}")
    return result.structured_content


async def is_there(url: str) -> bool:
    try:
        async with Client(url):
            return True
    except Exception:
        return False


async def until(client: Client, task: str, is_enough: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Looks at the task until it is as it should be."""
    while True:
        status = await call(client, "tasks/getStatus", taskId=task)
        if status["status"] in ENDED or is_enough(status):
            return status
        await asyncio.sleep(0.1)


def write_orders(file: Path, count: int) -> None:
    with file.open("w", newline="") as out:
        orders = csv.writer(out)
        orders.writerow(("order", "region", "amount"))
        orders.writerows((n, REGIONS[n % 4], f"{n % 997}.25") for n in range(count))


def percent(status: dict[str, Any]) -> str:
    return f"{100 * status['progress'] / status.get('total', 1):.0f} %"


async def first_half(client: Client) -> str:
    created = await call(client, "tasks/create", method="tools/call", params={
        "name": "etl_pipeline",
        # 50 orders to a step: few are read again after a crash.
        "arguments": {"group_by": "region", "measure": "amount", "chunk_records": 50},
    })
    task = created["taskId"]
    print(f"The pipeline is a task, {task}: {created['status']}.")
    await call(client, "notify", message=f"ETL started: {task}")
    print("Another tool was called meanwhile: notify.")
    status = await until(client, task, lambda status: status["progress"] >= 0.2 * status.get("total", 1e9))
    print(f"The pipeline is {status['status']}: {percent(status)}.")
    return task


async def second_half(client: Client, task: str) -> None:
    status = await until(client, task, lambda _: True)
    print(f"The server is back, and the task is {status['status']}: {percent(status)}.")
    while True:
        # It waits for the end for a while, and then says how the task stands.
        result = await call(client, "tasks/getResult", taskId=task, waitMs=20_000)
        if result.get("ready", True):
            break
        print(f"Not ready yet: {percent(await until(client, task, lambda _: True))}.")
    print(f"The result: {result['cleaned']} orders in {result['groups']} regions, {result['bytes']} bytes.")


async def main(url: str, command: str | None, data: Path, orders: int) -> None:
    write_orders(data / "in" / "orders.csv", orders)
    server = subprocess.Popen(shlex.split(command)) if command else None
    try:
        while not await is_there(url):
            await asyncio.sleep(0.2)
        async with Client(url) as client:
            task = await first_half(client)
        if server:
            server.kill()
            server.wait()
            print("The server was killed.")
            server = subprocess.Popen(shlex.split(command))
        else:
            print("Now kill the server (kill -9), and start it again.", flush=True)
            while await is_there(url):
                await asyncio.sleep(0.1)
            print("It is gone.", flush=True)
        while not await is_there(url):
            await asyncio.sleep(0.2)
        async with Client(url) as client:
            await second_half(client, task)
    finally:
        if server:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("url", help="where the server is")
    arguments.add_argument("--server-command", help="what starts the server, to kill it and start it again")
    arguments.add_argument("--data", type=Path, default=Path(__file__).parent / "data",
                           help="the folder whose `in` and `out` are granted to the pipeline")
    arguments.add_argument("--orders", type=int, default=300_000, help="how many there are (300000)")
    given = arguments.parse_args()
    asyncio.run(main(given.url, given.server_command, given.data, given.orders))
