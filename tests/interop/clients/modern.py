"""Tasks of revision 2026-07-28, driven by the Python SDK 2.3: modern.py URL

The SDK knows no tasks, but lets an extension claim their results: that is `Tasks` below.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from typing import Any, Literal

import mcp_types as types
from mcp import Client, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from mcp.client.session import ClientSession
from pydantic import BaseModel, ConfigDict

from checks import check, finish, text

SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
TASKS = "io.modelcontextprotocol/tasks"
ENDED = ("completed", "failed", "cancelled")
UNKNOWN_METHOD, WRONG_PARAMS, MISSING_CAPABILITY = -32601, -32602, -32021


class Created(types.Result):
    """What a call is answered with that became a task."""

    model_config = ConfigDict(extra="allow")
    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    created_at: str
    last_updated_at: str
    ttl_ms: int | None


class Told(BaseModel):
    """The parameters of `notifications/tasks`: a whole task."""

    model_config = ConfigDict(extra="allow")


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")

    def dict(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True)


class Ask(types.Request[dict[str, Any], str]):
    """A request about a task, whose id is in a header too."""

    method: str
    params: dict[str, Any]
    name_param = "taskId"


class AskAll(types.Request[dict[str, Any], str]):
    """A request that names no task."""

    method: str
    params: dict[str, Any]


async def ask(session: ClientSession, method: str, task_id: str, **params: Any) -> dict[str, Any]:
    request = Ask(method=method, params={"taskId": task_id, **params})
    return (await session.send_request(request, Anything)).dict()


async def until(session: ClientSession, task_id: str, *statuses: str) -> dict[str, Any]:
    """Polls a task until it has one of the statuses."""
    for _ in range(150):
        task = await ask(session, "tasks/get", task_id)
        if task["status"] in statuses:
            return task
        await asyncio.sleep(task.get("pollIntervalMs", 100) / 1000)
    raise TimeoutError(f"{task_id} is {task['status']}")


class Tasks(ClientExtension):
    identifier = TASKS

    def __init__(self) -> None:
        self.resolved: list[str] = []
        self.told: list[dict[str, Any]] = []

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self.resolve)]

    def notifications(self) -> Sequence[NotificationBinding[Any]]:
        return [NotificationBinding(method="notifications/tasks", params_type=Told, handler=self.on_task)]

    async def resolve(self, created: Created, context: ClaimContext) -> types.CallToolResult:
        self.resolved.append(created.task_id)
        task = await until(context.session, created.task_id, *ENDED)
        return types.CallToolResult.model_validate(task["result"])

    async def on_task(self, told: Told) -> None:
        self.told.append(told.model_dump(by_alias=True))


async def answer(_context: object, params: types.ElicitRequestFormParams) -> types.ElicitResult:
    form = {"name": "Ada", "confirm": True, "ok": True, "color": "blue"}
    fields = params.requested_schema["properties"]
    return types.ElicitResult(action="accept", content={name: form[name] for name in fields})


async def code_of(call: Any) -> int | None:
    """What a call was refused with."""
    try:
        await call
    except MCPError as error:
        return error.code
    return None


async def create(session: ClientSession, name: str, **arguments: Any) -> Created:
    return await session.call_tool(name, arguments, allow_claimed=True)


async def handshake(client: Client) -> None:
    check("the revision is 2026-07-28", client.protocol_version == "2026-07-28", client.protocol_version)
    offered = (client.server_capabilities.extensions or {}).get(TASKS)
    check("the extension is offered, without settings", offered == {}, client.server_capabilities)
    tools = [tool.name for tool in (await client.list_tools()).tools]
    check("the tools are listed", {"greet", "slow_compute"} <= set(tools), tools)


async def calls(client: Client, tasks: Tasks) -> None:
    greeting = await client.call_tool("greet", {"name": "World"})
    check("a quick call is answered", text(greeting) == "Hello, World!" and not tasks.resolved, greeting)
    slow = await client.call_tool("slow_compute", {"seconds": 1, "label": "call"})
    check("a slow one by a task's result", text(slow) == "Computed call in 1 s", slow)
    check("of one task", len(tasks.resolved) == 1, tasks.resolved)
    # The second goes into a header in base64.
    for region in ("eu-1", "Zürich"):
        sent = await client.call_tool("test_custom_header", {"region": region})
        check(f"an argument goes into a header: {region}", text(sent) == f"Region: {region}", sent)
    reports: list[float] = []

    async def on_progress(done: float, _total: float | None, _message: str | None) -> None:
        reports.append(done)

    await client.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
    check("progress arrives while a call is waited for", reports == [0, 50, 100], reports)


async def asked_for_input(client: Client, tasks: Tasks) -> None:
    hello = await client.call_tool("test_input_required_result_elicitation", {})
    check("a call that asks is gone on with", text(hello) == "Hello, Ada!", hello)
    both = await client.call_tool("test_input_required_result_multi_round", {})
    check("in two rounds as well", "Ada" in text(both) and "blue" in text(both), both)
    before = len(tasks.resolved)
    hello = await client.call_tool("test_tool_with_task", {})
    check("a call that asks may become a task", len(tasks.resolved) == before + 1, tasks.resolved)
    check("which knows the answer", text(hello) == "Hello, Ada!", hello)


async def a_task(session: ClientSession, url: str) -> None:
    created = await create(session, "slow_compute", seconds=2, label="task")
    check("a call is answered by the task", created.status == "working", created)
    task = await ask(session, "tasks/get", created.task_id)
    check("it is there at once", task["taskId"] == created.task_id, task)
    check("without a result", not {"result", "error"} & task.keys(), task)
    async with Client(url, extensions=[Tasks()]) as other:
        task = await until(other.session, created.task_id, *ENDED)
    check("another connection sees its end", task["status"] == "completed", task)
    result = types.CallToolResult.model_validate(task["result"])
    check("with the call's result", text(result) == "Computed task in 2 s", task)
    check("which says that it is complete", task["result"].get("resultType") == "complete", task)

    created = await create(session, "failing_job")
    task = await until(session, created.task_id, *ENDED)
    check("a tool's failure is a result", task["status"] == "completed" and task["result"]["isError"], task)
    created = await create(session, "protocol_error_job")
    task = await until(session, created.task_id, *ENDED)
    check("a trap is a failed task", task["status"] == "failed" and "code" in task["error"], task)

    unknown = "00000000-0000-4000-8000-000000000000"
    code = await code_of(ask(session, "tasks/get", unknown))
    check("an unknown task is refused", code == WRONG_PARAMS, code)
    code = await code_of(session.send_request(AskAll(method="tasks/list", params={}), Anything))
    check("there is no list", code == UNKNOWN_METHOD, code)


async def cancelling(session: ClientSession) -> None:
    created = await create(session, "slow_compute", seconds=60, label="cancelled")
    ack = await ask(session, "tasks/cancel", created.task_id)
    check("a cancel is acknowledged", ack.get("resultType") == "complete" and "status" not in ack, ack)
    task = await until(session, created.task_id, *ENDED)
    check("and the task cancelled", task["status"] == "cancelled", task)
    again = await ask(session, "tasks/cancel", created.task_id)
    check("a second one does no harm", again.get("resultType") == "complete", again)


async def updating(session: ClientSession) -> None:
    created = await create(session, "multi_input")
    task = await until(session, created.task_id, "input_required")
    requests = task["inputRequests"]
    check("a task asks two questions", len(requests) == 2, task)
    first, second = requests
    accept = {"action": "accept", "content": {"name": "Ada", "confirm": True}}
    await ask(session, "tasks/update", created.task_id, inputResponses={first: accept})
    task = await ask(session, "tasks/get", created.task_id)
    check("the answered one is gone", list(task.get("inputRequests", ())) == [second], task)
    ack = await ask(session, "tasks/update", created.task_id, inputResponses={second: accept, "other": 1})
    check("an answer is acknowledged", ack.get("resultType") == "complete", ack)
    task = await until(session, created.task_id, *ENDED)
    check("and the task goes on", task["status"] == "completed", task)


async def listening(client: Client, tasks: Tasks, heard: list[Any]) -> None:
    created = await create(client.session, "slow_compute", seconds=1, label="pushed")
    wanted = types.SubscriptionFilter.model_validate({"taskIds": [created.task_id]})
    params = types.SubscriptionsListenRequestParams(notifications=wanted)
    listen = types.SubscriptionsListenRequest(params=params)
    stream = asyncio.create_task(client.session.send_request(listen, Anything))
    for _ in range(100):
        if tasks.told and tasks.told[-1]["status"] in ENDED:
            break
        await asyncio.sleep(0.05)
    stream.cancel()
    await asyncio.gather(stream, return_exceptions=True)
    acks = [m.params for m in heard if isinstance(m, types.SubscriptionsAcknowledgedNotification)]
    accepted = acks and acks[0].notifications.model_dump(by_alias=True).get("taskIds")
    check("a subscription is acknowledged", accepted == [created.task_id], acks)
    check("the task is told without polling", bool(tasks.told), tasks.told)
    last = tasks.told[-1] if tasks.told else {}
    check("up to its end", last.get("status") == "completed", last)
    check("with its result", last.get("result", {}).get("isError", False) is False and "result" in last, last)
    stamps = {(told.get("_meta") or {}).get(SUBSCRIPTION) for told in tasks.told}
    check("each names the subscription", len(stamps) == 1 and None not in stamps, stamps)


async def without_tasks(url: str) -> None:
    """A client that does not know the extension."""
    async with Client(url) as client:
        slow = await client.call_tool("slow_compute", {"seconds": 1, "label": "inline"})
        check("a client without tasks gets the result", text(slow) == "Computed inline in 1 s", slow)
        code = await code_of(client.call_tool("failing_job", {}))
        check("but not of what has to be a task", code == MISSING_CAPABILITY, code)
        code = await code_of(ask(client.session, "tasks/get", "00000000-0000-4000-8000-000000000000"))
        check("and may not ask for tasks", code == MISSING_CAPABILITY, code)


async def main(url: str) -> None:
    tasks, heard = Tasks(), []

    async def on_message(message: Any) -> None:
        heard.append(message)

    client = Client(url, extensions=[tasks], elicitation_callback=answer, message_handler=on_message)
    async with client:
        await handshake(client)
        await calls(client, tasks)
        await asked_for_input(client, tasks)
        await a_task(client.session, url)
        await cancelling(client.session)
        await updating(client.session)
        await listening(client, tasks, heard)
    await without_tasks(url)
    finish()


logging.basicConfig(level=logging.ERROR)
asyncio.run(main(sys.argv[1]))
