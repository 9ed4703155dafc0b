"""The code of the article that asked for Stepwell, run by the Python SDK, 1.30 or 2.3: seed.py DATA URL

The blocks are the article's, but for three things: `...` has arguments instead, `tools/call(` is
`tools_call(`, and it does not wait for half an hour. DATA is the folder whose parts are granted to
the tools.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from checks import check, finish

try:
    import mcp_types as types
    from mcp import Client, MCPError as Refused

    IS_MODERN = True
except ImportError:
    from mcp import ClientSession, McpError as Refused, types
    from mcp.client.streamable_http import streamable_http_client

    IS_MODERN = False

RECORDS = 2000
ENDED = ("completed", "failed", "cancelled")
# What the article leaves open.
ETL = {"group_by": "region", "measure": "amount", "chunk_records": 100}
CUSTOMER = {"email": "ada@example.com", "plan": "gold"}
TRADE = {
    "account": "ada", "symbol": "WASM", "side": "buy", "quantity": 3, "price_cents": 1250,
    "fill": "external", "poll_ms": 60_000,
}


class Request(types.Request[dict[str, Any], str]):
    """A request of any method."""

    method: str
    params: dict[str, Any]


class Answer(BaseModel):
    """An answer, whatever is in it."""

    model_config = ConfigDict(extra="allow")


class Connection:
    """What the article calls `client`, and `tools` beside it."""

    def __init__(self, session: Any) -> None:
        self.session = session

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """A method of the protocol; its whole answer."""
        answer = await self.session.send_request(Request(method=method, params=params), Answer)
        said = answer.model_dump(by_alias=True)
        return {key: value for key, value in said.items() if key not in ("_meta", "resultType")}

    async def tool(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """A tool, or a word that is called like one; its whole answer."""
        answer = await self.session.call_tool(name, arguments)
        return answer.model_dump(by_alias=True, exclude_none=True)

    async def tools_call(self, name: str, arguments: dict[str, Any]) -> str:
        """The same as a model sees it: the answer's text."""
        return (await self.tool(name, arguments))["content"][0]["text"]


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    if IS_MODERN:
        async with Client(url) as client:
            yield Connection(client.session)
    else:
        async with streamable_http_client(url) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            yield Connection(session)


async def task_model(client: Connection) -> None:
    """The article's part 2."""
    task_id = await client.call("tasks/create", {
        "method": "tools/call",
        "params": {"name": "etl_pipeline", "arguments": {**ETL}}
    })
    status = await client.call("tasks/getStatus", {"taskId": task_id})
    result = await client.call("tasks/getResult", {"taskId": task_id})

    check("model: a task is created at once", task_id["status"] == "pending", task_id)
    check("model: without progress", task_id["progress"] == 0 and "createdAt" in task_id, task_id)
    check("model: it has a status", status["status"] in ("pending", "running", "completed"), status)
    check("model: it is the task's", status["taskId"] == task_id["taskId"], status)
    is_early = result.get("ready") is False and result["taskId"] == task_id["taskId"]
    check("model: a result, or that there is none yet", is_early or "content" in result, result)
    result = await client.call("tasks/getResult", {"taskId": task_id, "waitMs": 30_000})
    check("model: then the tool's own result", result["structuredContent"]["cleaned"] == RECORDS, result)
    status = await client.call("tasks/getStatus", {"taskId": task_id["taskId"]})
    check("model: the task is completed", status["status"] == "completed", status)
    check("model: with all of its progress", status["progress"] == status["total"] > 0, status)


async def checkpoints(client: Connection, data: Path) -> None:
    """The article's part 3."""
    task_id = await client.call("tasks/create", {
        "method": "tools/call",
        "params": {"name": "etl_pipeline", "arguments": {**ETL, "chunk_records": 5}}
    })
    for _ in range(1000):
        if (await client.call("tasks/getStatus", {"taskId": task_id}))["progress"] > 0:
            break
        await asyncio.sleep(0.01)

    checkpoint = await client.call("sessions/saveCheckpoint", {
        "taskId": task_id,
        "state": {"currentStep": 3, "processedRows": 15000}
    })
    restored = await client.call("sessions/restoreCheckpoint", {
        "taskId": task_id,
        "checkpointId": checkpoint["checkpointId"]
    })

    check("checkpoint: a task at work has one saved", checkpoint["checkpointId"].startswith("cp-"), checkpoint)
    state = {"currentStep": 3, "processedRows": 15000}
    check("checkpoint: its state comes back", restored["state"] == state, restored)
    check("checkpoint: the steps before it are skipped", restored["skippedSteps"] > 0, restored)
    check("checkpoint: the task goes on from there", restored["resumed"] is True, restored)
    unknown = {"taskId": task_id, "checkpointId": "cp-12345"}
    error = await refusal(client.call("sessions/restoreCheckpoint", unknown))
    check("checkpoint: one that nobody saved is refused", error is not None and "cp-12345" in error, error)
    result = await client.call("tasks/getResult", {"taskId": task_id, "waitMs": 30_000})
    check("checkpoint: it comes to its end", result["structuredContent"]["cleaned"] == RECORDS, result)
    checkpoint = await client.call("sessions/saveCheckpoint", {"taskId": task_id, "state": state})
    check("checkpoint: in any state, the end included", "checkpointId" in checkpoint, checkpoint)
    rows = (data / "out/cleaned.csv").read_text().splitlines()
    check("checkpoint: no row is there twice", len(rows) == len(set(rows)) == RECORDS + 1, len(rows))


async def data_pipeline(client: Connection) -> None:
    """The article's scenario 1."""
    tools_call = client.tools_call
    task_id = await tools_call("tasks/create", {
        "method": "tools/call",
        "params": {"name": "etl_pipeline", "arguments": {"data_size": "10GB"}}
    })
    notified = await client.tool("tools/call", {"name": "notify", "arguments": {"message": "ETL started"}})
    result = await tools_call("tasks/getResult", {"taskId": task_id})

    check("pipeline: a task has an id", isinstance(task_id, str) and len(task_id) > 8, task_id)
    told = notified["structuredContent"]
    check("pipeline: another tool answers meanwhile", told["message"] == "ETL started", notified)
    check("pipeline: a result, or how it stands", "not ready" in result or "cleaned" in result, result)
    # "15 minutes later".
    result = await tools_call("tasks/getResult", {"taskId": task_id, "waitMs": 30_000})
    report = json.loads(result)
    check("pipeline: the result, later", report["cleaned"] == RECORDS and report["rejected"] == {}, result)
    status = await tools_call("tasks/getStatus", {"taskId": task_id})
    check("pipeline: the word for it", status == "completed", status)
    few = {"name": "etl_pipeline", "arguments": {"data_size": "1KB"}}
    task_id = await tools_call("tasks/create", {"method": "tools/call", "params": few})
    failed = await client.tool("tasks/getResult", {"taskId": task_id, "waitMs": 30_000})
    about = failed["structuredContent"]
    check("pipeline: more data than was said is a failure", failed["isError"] and about["status"] == "failed", failed)
    check("pipeline: which says its kind", about["kind"] == "invalid-arguments", failed)


async def support(client: Connection) -> None:
    """The article's scenario 2."""
    tools_call = client.tools_call
    checkpoint_id = await tools_call("sessions/saveCheckpoint", {
        "taskId": "support-task-123",
        "state": {
            "currentStep": 2,
            "customerContext": {**CUSTOMER},
            "resolvedIssues": ["issue-1", "issue-2"]
        }
    })
    restored = await client.tool("sessions/restoreCheckpoint", {
        "taskId": "support-task-123",
        "checkpointId": checkpoint_id
    })

    check("support: a session has a checkpoint", checkpoint_id.startswith("cp-"), checkpoint_id)
    session = restored["structuredContent"]
    state = {"currentStep": 2, "customerContext": CUSTOMER, "resolvedIssues": ["issue-1", "issue-2"]}
    check("support: what was saved comes back", session["state"] == state, restored)
    check("support: by its names", (session["taskId"], session["checkpointId"])
          == ("support-task-123", checkpoint_id), restored)
    later = {"taskId": "support-task-123", "state": {**state, "currentStep": 3}}
    newer = await tools_call("sessions/saveCheckpoint", later)
    check("support: a second one is another", newer != checkpoint_id, newer)
    for id, step in ((newer, 3), (checkpoint_id, 2)):
        again = {"taskId": "support-task-123", "checkpointId": id}
        session = (await client.tool("sessions/restoreCheckpoint", again))["structuredContent"]
        check(f"support: both are kept: step {step}", session["state"]["currentStep"] == step, session)
    error = await refusal(client.tool("sessions/restoreCheckpoint",
                                      {"taskId": "support-task-124", "checkpointId": checkpoint_id}))
    check("support: it is of no other session", error is not None, error)


async def conversation(client: Connection) -> None:
    """Scenario 2 once more, with a task of that name behind it, which goes on from what was saved."""
    tools_call = client.tools_call
    name = f"support-task-{uuid.uuid4()}"
    issues = [{"id": f"issue-{n}", "kind": "other", "text": "it does not start"} for n in (1, 2, 3)]
    call = {"name": "support_session", "arguments": {"customer": "Ada", "issues": issues}}
    create = {"method": "tools/call", "params": call, "taskId": name}
    await tools_call("tasks/create", create)
    questions = await asked(client, name, "contact")
    check("conversation: the customer is asked who they are", "contact" in questions, questions)
    checkpoint_id = await tools_call("sessions/saveCheckpoint", {
        "taskId": name,
        "state": {
            "currentStep": 2,
            "customerContext": {**CUSTOMER},
            "resolvedIssues": ["issue-1", "issue-2"]
        }
    })
    restored = await client.tool("sessions/restoreCheckpoint", {
        "taskId": name,
        "checkpointId": checkpoint_id
    })
    session = restored["structuredContent"]
    check("conversation: it goes on", session["resumed"] is True and session["taskId"] == name, restored)
    questions = await asked(client, name, "solved/issue-3")
    check("conversation: where it was saved", [key.split("!")[0] for key in questions] == ["solved/issue-3"], questions)
    error = await refusal(client.tool("tasks/create", create))
    check("conversation: its name is taken", error is not None, error)
    await tools_call("tasks/cancel", {"taskId": name})
    result = await client.tool("tasks/getResult", {"taskId": name, "waitMs": 30_000})
    check("conversation: it is cancelled by its name", result["structuredContent"]["status"] == "cancelled", result)


async def asked(client: Connection, task: str, question: str) -> dict[str, Any]:
    """What the task asks, as soon as the question is among it."""
    questions: dict[str, Any] = {}
    for _ in range(200):
        status = (await client.tool("tasks/getStatus", {"taskId": task}))["structuredContent"]
        questions = status.get("waitingFor", {})
        if any(key.split("!")[0] == question for key in questions):
            break
        await asyncio.sleep(0.05)
    return questions


async def trade(client: Connection, data: Path) -> None:
    """The article's scenario 3."""
    ledger = data / "exchange/ledger.ndjson"
    before = len(ledger.read_text().splitlines()) if ledger.exists() else 0
    tools_call = client.tools_call
    reports = []

    task_id = await tools_call("tasks/create", {
        "method": "tools/call",
        "params": {"name": "trade_execution", "arguments": {**TRADE}}
    })

    async def timeout_handler(task_id, timeout_seconds=1800):
        await asyncio.sleep(timeout_seconds)
        reports.append(await tools_call("tasks/cancel", {"taskId": task_id}))
        reports.append(await client.tool("tools/call", {
            "name": "notify_timeout",
            "arguments": {"taskId": task_id}
        }))

    handler = asyncio.create_task(timeout_handler(task_id, 2))

    status = await tools_call("tasks/getStatus", {"taskId": task_id})
    check("trade: it is at work", status in ("pending", "running"), status)
    await handler
    word, notice = reports
    check("trade: the cancel is answered by a word", word in ("pending", "running", "cancelled"), word)
    report = notice["structuredContent"]
    check("trade: the timeout is reported", report["taskId"] == task_id and "given up" in report["message"], notice)
    result = await client.tool("tasks/getResult", {"taskId": task_id, "waitMs": 30_000})
    ended = result["structuredContent"]
    check("trade: there is no result", result["isError"] and ended["status"] == "cancelled", result)
    check("trade: it was cancelled cleanly", ended.get("how") == "clean", ended)
    lines = ledger.read_text().splitlines()[before:]
    kinds = [json.loads(line)["kind"] for line in lines]
    check("trade: and undone", kinds == ["reserve", "place", "cancel", "release"], kinds)
    again = await client.tool("tasks/cancel", {"taskId": task_id})
    ended = {"taskId": task_id, "status": "cancelled", "cancelled": True}
    check("trade: to cancel it again does no harm", again["structuredContent"] == ended, again)


async def any_request(client: Connection) -> None:
    """What the article says in its part 1: any type of request can be made a task."""
    made = await client.call("tasks/create", {"method": "tools/list", "params": {}})
    result = await client.call("tasks/getResult", {"taskId": made, "waitMs": 10_000})
    tools = {tool["name"] for tool in result.get("tools", ())}
    check("any: a list is made a task", {"etl_pipeline", "trade_execution"} <= tools, result)
    notify = {"name": "notify", "arguments": {"message": "as a task"}}
    made = await client.call("tasks/create", {"method": "tools/call", "params": notify})
    result = await client.call("tasks/getResult", {"taskId": made, "waitMs": 10_000})
    check("any: a tool that keeps nothing, too", result["structuredContent"]["message"] == "as a task", result)
    for request in ({"method": "tools/list", "params": {}}, {"method": "server/discover" if IS_MODERN else "ping"}):
        id = await client.tools_call("tasks/create", request)
        result = await client.tool("tasks/getResult", {"taskId": id})
        check(f"any: the result of {request['method']} is a tool's, too", not result.get("isError"), result)
    # They are done at once.
    status = await client.call("tasks/getStatus", {"taskId": made})
    check("any: it is completed", status["status"] == "completed", status)


async def refusal(call: Awaitable[Any]) -> str | None:
    """What a call was refused with, as an error or as a result that tells of one."""
    try:
        answer = await call
    except Refused as error:
        return str(error)
    return answer["content"][0]["text"] if answer.get("isError") else None


async def main(data: Path, url: str) -> None:
    rows = (f"{row},{('north', 'south', 'east')[row % 3]},{row}.5" for row in range(RECORDS))
    (data / "in/sales.csv").write_text("\n".join(("order,region,amount", *rows, "")))
    async with connected(url) as client:
        parts = (
            ("model", task_model(client)),
            ("checkpoint", checkpoints(client, data)),
            ("pipeline", data_pipeline(client)),
            ("support", support(client)),
            ("conversation", conversation(client)),
            ("trade", trade(client, data)),
            ("any", any_request(client)),
        )
        for name, part in parts:
            error = None
            try:
                await part
            except Exception as raised:
                error = raised
            check(f"{name}: all of it was run", error is None, error)
    finish()


logging.basicConfig(level=logging.ERROR)
asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
