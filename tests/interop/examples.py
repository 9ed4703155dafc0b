"""The examples in Python, run against a server of their own, and what they leave behind:
examples.py STEPWELL COMPONENTS

COMPONENTS is the folder of the components.
"""

from __future__ import annotations

import asyncio
import csv
import json
import logging
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mcp import Client

from checks import check, finish

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ORDERS, CHUNK = 60_000, 50
TASK = re.compile(r"is a task, ([0-9a-f-]{36})")


class Server:
    """A server of the examples' configuration, in a folder of its own."""

    def __init__(self, stepwell: str, components: str, folder: Path) -> None:
        self.stepwell, self.folder, self.data = stepwell, folder, folder / "data"
        for part in ("in", "out", "exchange"):
            (self.data / part).mkdir(parents=True)
        config = (EXAMPLES / "stepwell.toml").read_text()
        config = re.sub(r'"[^"]*/([a-z_]+\.wasm)"', rf'"{components}/\1"', config)
        (folder / "stepwell.toml").write_text(config)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{address}/mcp"
        self.command = [stepwell, "serve", "--config", str(folder / "stepwell.toml"), "--listen", address]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = self.folder / "server.log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(self.command, stderr=out)
        for _ in range(600):
            if "ready: " in log.read_text():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        raise SystemExit(f"the server did not come up: {log.read_text()}")

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        assert self.process
        self.process.terminate()
        self.process.wait(30)
        self.process = None

    def task(self, id: str) -> dict[str, Any]:
        """A task as the server that has ended left it."""
        command = [self.stepwell, "tasks", "show", "--json", "--data-dir", str(self.data / "tasks"), id]
        shown = subprocess.run(command, capture_output=True, text=True)
        return json.loads(shown.stdout)

    def ledger(self) -> list[dict[str, Any]]:
        file = self.data / "exchange" / "ledger.ndjson"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def example(name: str, server: Server, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-u", str(EXAMPLES / name), server.url, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(name: str, server: Server, *more: str) -> str:
    """Runs an example to its end; what it prints."""
    out, _ = example(name, server, *more).communicate(timeout=120)
    return out


def mark(file: Path, rows: tuple[int, ...]) -> None:
    """Changes the region in these rows, without changing where anything is."""
    lines = file.read_text().split("\n")
    for row in rows:
        lines[row] = lines[row].upper()
    file.write_text("\n".join(lines))


def check_orders(what: str, server: Server, printed: str, marked: tuple[int, ...]) -> None:
    check(f"{what}: the result is fetched from the new server", f"{ORDERS} orders in 4 regions" in printed, printed)
    with (server.data / "out" / "cleaned.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    numbers = [row[0] for row in rows[1:]]
    check(f"{what}: every order is there once", numbers == [str(n) for n in range(ORDERS)], len(numbers))
    upper = [n for n, row in enumerate(rows) if row[1].isupper()]
    if marked:
        check(f"{what}: what was finished was not written again", upper == list(marked), upper[:9])
    with (server.data / "out" / "summary.csv").open(newline="") as file:
        counts = {row[0]: row[1] for row in list(csv.reader(file))[1:]}
    check(f"{what}: the sums are right", set(counts.values()) == {str(ORDERS // 4)} and len(counts) == 4, counts)


def check_steps(what: str, server: Server, printed: str) -> None:
    found = TASK.search(printed)
    task = server.task(found[1]) if found else {}
    check(f"{what}: it is one task", task.get("status") == "completed", task or printed)
    check(f"{what}: with a second attempt", task.get("attempt") == 2, task.get("attempt"))
    # One for each chunk, one that finds the end, and those before and after.
    check(f"{what}: each step was done once", task.get("steps_done") == ORDERS // CHUNK + 3, task.get("steps_done"))


def etl(server: Server) -> None:
    """The server is killed by hand: here."""
    server.start()
    running = example("etl_as_a_task.py", server, "--data", str(server.data), "--orders", str(ORDERS))
    assert running.stdout
    printed = ""
    for line in running.stdout:
        printed += line
        if line.startswith("Now kill"):
            break
    server.kill()
    # By what it printed it was done with a fifth.
    marked = (1, 2, ORDERS // 10)
    mark(server.data / "out" / "cleaned.csv", marked)
    time.sleep(0.5)
    server.start()
    printed += running.communicate(timeout=120)[0]
    check("etl: it ended well", running.returncode == 0, printed)
    check("etl: another tool was called meanwhile", "called meanwhile" in printed, printed)
    check_orders("etl", server, printed, marked)
    server.stop()
    check_steps("etl", server, printed)


def etl_by_itself(server: Server) -> None:
    """The example starts the server, and kills it."""
    command = ["--data", str(server.data), "--orders", str(ORDERS), "--server-command", shlex.join(server.command)]
    printed = run("etl_as_a_task.py", server, *command)
    check("etl by itself: it killed its server", "The server was killed" in printed, printed)
    check_orders("etl by itself", server, printed, ())
    check_steps("etl by itself", server, printed)


def support(server: Server) -> None:
    printed = run("support_session.py", server)
    first, _, second = printed.partition("Restored: ")
    check("support: the customer is asked who they are", "who are you" in first, printed)
    check("support: but not again after the restore", second and "who are you" not in second, printed)
    check("support: nor what is resolved", "charged twice" not in second and "parcel" in second, printed)
    check("support: steps are skipped", re.match(r"[1-9]\d* steps", second) is not None, second)
    check("support: what was saved is back", "'resolvedIssues': ['issue-1']" in second, second)
    _, _, report = printed.partition("The result: ")
    report = json.loads(report) if report else {}
    check("support: all is resolved", report.get("resolved") == ["issue-1", "issue-2", "issue-3"], printed)
    check("support: the wrong answer is forgotten", report.get("tickets") == [], report)
    check("support: the tool knows that it was restored", report.get("restored") is True, report)
    check("support: days later, here soon, it is rated", report.get("stars") == 5, report)


def trade(what: str, server: Server, name: str, ending: str) -> str:
    before = len(server.ledger())
    printed = run(name, server, "--exchange", str(server.data / "exchange"))
    check(f"{what}: it ended {ending}", f"The trade is {ending}." in printed, printed)
    lines = server.ledger()[before:]
    kinds = [line["kind"] for line in lines]
    check(f"{what}: the ledger is whole", kinds == ["reserve", "place", "cancel", "release"], kinds)
    if len(lines) == 4:
        reserve, place, cancel, release = lines
        check(f"{what}: this order was cancelled", cancel["about"] == place["key"], lines)
        check(f"{what}: these funds were released", release["about"] == reserve["key"]
              and release["amount_cents"] == reserve["amount_cents"], lines)
    check(f"{what}: nothing took effect twice", len({line["key"] for line in lines}) == len(lines), lines)
    return printed


async def killed_in_between(server: Server) -> None:
    """What the article calls the recovery of a session: its server is killed, not only left."""
    state = {"currentStep": 2, "resolvedIssues": ["issue-1", "issue-2"]}
    trade = {"name": "trade_execution", "arguments": {
        "account": "ada", "symbol": "WASM", "side": "sell", "quantity": 1, "price_cents": 700,
        "fill": "external", "poll_ms": 1_000, "polls_max": 100,
    }}
    async with Client(server.url) as client:
        saved = await client.call_tool("sessions/saveCheckpoint", {"taskId": "support-task-123", "state": state})
        create = {"method": "tools/call", "params": trade, "taskId": "trade-1"}
        await client.call_tool("tasks/create", create)
        while len(server.ledger()) < 2:
            await asyncio.sleep(0.05)
    server.kill()
    order = server.ledger()[1]
    fill = {"kind": "fill", "subject": "exchange", "about": order["key"], "key": "by hand", "refusal": None}
    with (server.data / "exchange" / "ledger.ndjson").open("a") as ledger:
        ledger.write(json.dumps(fill) + "\n")
    server.start()
    async with Client(server.url) as client:
        restore = {"taskId": "support-task-123", "checkpointId": saved.structured_content["checkpointId"]}
        restored = await client.call_tool("sessions/restoreCheckpoint", restore)
        check("killed: a session's state is restored", restored.structured_content["state"] == state, restored)
        result = await client.call_tool("tasks/getResult", {"taskId": "trade-1", "waitMs": 30_000})
        settled = result.structured_content.get("order") == order["key"]
        check("killed: the trade is found by its name, and settled", settled, result)
    kinds = [line["kind"] for line in server.ledger()]
    whole = ["reserve", "place", "fill", "confirm", "settle"]
    check("killed: nothing of it was done twice", kinds == whole, kinds)


def main(stepwell: str, components: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(stepwell, components, Path(folder) / "one")
        other = Server(stepwell, components, Path(folder) / "two")
        try:
            etl(server)
            etl_by_itself(other)
            server.start()
            asyncio.run(killed_in_between(server))
            support(server)
            printed = trade("timeout", server, "trade_timeout.py", "cancelled: clean")
            task = TASK.search(printed)
            reported = task and f"Reported: Task {task[1]} was given up after 3 s." in printed
            check("timeout: a second tool reports it", bool(reported), printed)
            trade("deadline", server, "trade_deadline.py", "failed: deadline-exceeded, clean")
        finally:
            if server.process:
                server.stop()
    finish()


logging.basicConfig(level=logging.ERROR)
main(sys.argv[1], sys.argv[2])
