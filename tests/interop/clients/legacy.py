"""Tasks of revision 2025-11-25, driven by the Python SDK 1.30: legacy.py URL"""

from __future__ import annotations

import asyncio
import sys
import warnings

from mcp import ClientSession, McpError, types
from mcp.client.streamable_http import streamable_http_client

from checks import check, finish, text

RELATED_TASK = "io.modelcontextprotocol/related-task"
UNKNOWN_METHOD, WRONG_PARAMS = -32601, -32602

questions: list[types.ElicitRequestParams] = []


async def answer(_context: object, params: types.ElicitRequestParams) -> types.ElicitResult:
    questions.append(params)
    form = {"confirm": True, "name": "Ada", "username": "ada", "email": "ada@example.com"}
    fields = params.requestedSchema["properties"]
    return types.ElicitResult(action="accept", content={name: form[name] for name in fields})


async def code_of(call) -> int | None:
    """What a call was refused with."""
    try:
        await call
    except McpError as error:
        return error.error.code
    return None


async def statuses(tasks, task_id: str) -> list[types.GetTaskResult]:
    return [status async for status in tasks.poll_task(task_id)]


async def handshake(session: ClientSession) -> None:
    server = await session.initialize()
    check("the revision is 2025-11-25", server.protocolVersion == "2025-11-25", server.protocolVersion)
    tasks = server.capabilities.tasks
    calls = tasks and tasks.requests and tasks.requests.tools and tasks.requests.tools.call
    check("tools can be called as tasks", calls is not None, tasks)
    check("tasks can be listed and cancelled", bool(tasks) and None not in (tasks.list, tasks.cancel), tasks)
    tools = (await session.list_tools()).tools
    support = {tool.name: tool.execution and tool.execution.taskSupport for tool in tools}
    check("greet is no task", support["greet"] in (None, "forbidden"), support["greet"])
    check("slow_compute may be one", support["slow_compute"] == "optional", support["slow_compute"])
    check("failing_job has to be one", support["failing_job"] == "required", support["failing_job"])


async def plain_calls(session: ClientSession) -> None:
    greeting = await session.call_tool("greet", {"name": "World"})
    check("a plain call is answered", text(greeting) == "Hello, World!", greeting)

    reports: list[tuple[float, float | None]] = []

    async def on_progress(done: float, total: float | None, _message: str | None) -> None:
        reports.append((done, total))

    await session.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
    check("its progress arrives", reports == [(0, 100), (50, 100), (100, 100)], reports)

    failure = await session.call_tool("test_error_handling", {})
    check("its failure is a result", failure.isError and "intentionally" in text(failure), failure)

    asked = len(questions)
    replied = await session.call_tool("test_elicitation", {"message": "Who are you?"})
    check("it asks while it is called", len(questions) == asked + 1, questions)
    check("and gets the answer", "ada@example.com" in text(replied), replied)

    slow = await session.call_tool("slow_compute", {"seconds": 1, "label": "inline"})
    check("what may be a task is called without one", text(slow) == "Computed inline in 1 s", slow)


async def a_task(session: ClientSession) -> None:
    tasks = session.experimental
    created = (await tasks.call_tool_as_task("slow_compute", {"seconds": 2, "label": "task"}, ttl=60000)).task
    check("a call as a task is answered by the task", created.status == "working", created)
    check("it says how long it is kept", created.ttl is None or created.ttl > 0, created)
    seen = await statuses(tasks, created.taskId)
    check("polled, it is at work first", seen[0].status == "working", seen)
    check("and completed in the end", seen[-1].status == "completed", seen)
    check("progress is its message", any("comput" in (status.statusMessage or "") for status in seen), seen)
    result = await tasks.get_task_result(created.taskId, types.CallToolResult)
    check("its result is that of the call", text(result) == "Computed task in 2 s", result)
    related = (result.meta or {}).get(RELATED_TASK)
    check("the result names its task", related == {"taskId": created.taskId}, related)
    again = await tasks.get_task_result(created.taskId, types.CallToolResult)
    check("the result can be had again", text(again) == text(result), again)
    listed = [task.taskId for task in (await tasks.list_tasks()).tasks]
    check("it is in the list", created.taskId in listed, listed)

    waiting = (await tasks.call_tool_as_task("slow_compute", {"seconds": 1, "label": "waited for"})).task
    result = await tasks.get_task_result(waiting.taskId, types.CallToolResult)
    check("tasks/result waits", text(result) == "Computed waited for in 1 s", result)


async def cancelling(session: ClientSession) -> None:
    tasks = session.experimental
    created = (await tasks.call_tool_as_task("slow_compute", {"seconds": 60, "label": "cancelled"})).task
    cancelled = await tasks.cancel_task(created.taskId)
    check("a cancel is answered by the cancelled task", cancelled.status == "cancelled", cancelled)
    seen = await tasks.get_task(created.taskId)
    check("it stays cancelled", seen.status == "cancelled", seen)
    code = await code_of(tasks.cancel_task(created.taskId))
    check("what has ended cannot be cancelled", code == WRONG_PARAMS, code)


async def failing(session: ClientSession) -> None:
    tasks = session.experimental
    created = (await tasks.call_tool_as_task("failing_job", {})).task
    last = (await statuses(tasks, created.taskId))[-1]
    check("a tool's failure is a failed task", last.status == "failed", last)
    check("its message is the tool's", "The job failed" in (last.statusMessage or ""), last)
    result = await tasks.get_task_result(created.taskId, types.CallToolResult)
    check("and so is its result", result.isError and "The job failed" in text(result), result)

    created = (await tasks.call_tool_as_task("protocol_error_job", {})).task
    last = (await statuses(tasks, created.taskId))[-1]
    check("a trap is a failed task", last.status == "failed", last)
    code = await code_of(tasks.get_task_result(created.taskId, types.CallToolResult))
    check("its result is an error", code is not None, code)

    code = await code_of(session.call_tool("failing_job", {}))
    check("what has to be a task is not called without", code in (UNKNOWN_METHOD, -32600), code)
    code = await code_of(tasks.call_tool_as_task("greet", {"name": "World"}))
    check("what may not be a task is not called as one", code == UNKNOWN_METHOD, code)
    code = await code_of(tasks.get_task("00000000-0000-4000-8000-000000000000"))
    check("an unknown task is refused", code == WRONG_PARAMS, code)


async def asking(session: ClientSession) -> None:
    tasks = session.experimental
    created = (await tasks.call_tool_as_task("confirm_delete", {"filename": "a.txt"})).task
    async for status in tasks.poll_task(created.taskId):
        if status.status == "input_required":
            break
    check("a task that asks says so", status.status == "input_required", status)
    questions.clear()
    result = await tasks.get_task_result(created.taskId, types.CallToolResult)
    check("tasks/result brings the question", [q.message for q in questions] == ["Delete a.txt?"], questions)
    related = questions and (questions[0].meta.model_dump() if questions[0].meta else {}).get(RELATED_TASK)
    check("which names its task", related == {"taskId": created.taskId}, related)
    check("and then the result", text(result) == "Deleted a.txt", result)

    created = (await tasks.call_tool_as_task("multi_input", {})).task
    questions.clear()
    result = await tasks.get_task_result(created.taskId, types.CallToolResult)
    check("two questions come together", len(questions) == 2, questions)
    check("and are answered both", '"Ada"' in text(result) and "true" in text(result), result)


async def main(url: str) -> None:
    async with (
        streamable_http_client(url) as (read, write, _session_id),
        ClientSession(read, write, elicitation_callback=answer) as session,
    ):
        await handshake(session)
        await plain_calls(session)
        await a_task(session)
        await cancelling(session)
        await failing(session)
        await asking(session)
    finish()


warnings.simplefilter("ignore")
asyncio.run(main(sys.argv[1]))
