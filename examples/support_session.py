"""A support conversation whose client disappears, and that goes on from a checkpoint.

The conversation is a task, and its tool asks: who the customer is, whether the advice helped, and
days later how it was. Each question is an elicitation, as MCP has it. Here the first client answers
some, saves a checkpoint, gets one answer wrong, and disappears with a question open. A second one
knows nothing but the task and the checkpoint. It restores: the wrong answer is forgotten, what was
settled before it is not asked again, and the conversation goes on to its end.

    pip install "mcp>=2.3"
    target/release/stepwell serve --config examples/stepwell.toml
    python examples/support_session.py http://127.0.0.1:7357/mcp

With --ask you answer yourself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from typing import Any

import mcp_types as types
from mcp import Client
from mcp.client.extension import ClientExtension
from pydantic import BaseModel

# The SDK warns of tools that are not in the list, and the words for tasks are not.
logging.basicConfig(level=logging.ERROR)

ENDED = ("completed", "failed", "cancelled")

CALL = {"name": "support_session", "arguments": {
    "customer": "Ada",
    "issues": [
        {"id": "issue-1", "kind": "billing", "text": "charged twice in May"},
        {"id": "issue-2", "kind": "delivery", "text": "the parcel is late"},
        {"id": "issue-3", "kind": "other", "text": "the app does not start"},
    ],
    # The customer is asked for a rating after two days, by default. Not here.
    "follow_up_ms": 2_000,
}}

# What the customer says, by the question's name.
SAYS = {
    "contact": {"email": "ada@example.com"},
    "manner": {"tone": "friendly"},
    "solved/issue-1": {"solved": True},
    "solved/issue-2": {"solved": True},
    "solved/issue-3": {"solved": True},
    "rating": {"stars": 5},
}


class Tasks(ClientExtension):
    """Says that this client knows tasks, so that it may answer what they ask."""

    identifier = "io.modelcontextprotocol/tasks"


class Update(types.Request[dict[str, Any], str]):
    """The answers to questions of a task."""

    method: str = "tasks/update"
    params: dict[str, Any]
    name_param = "taskId"


class Nothing(BaseModel):
    """What they are answered with."""


async def call(client: Client, name: str, **arguments: Any) -> dict[str, Any]:
    """Calls a tool, or one of the words for tasks, which are called like tools."""
    result = await client.call_tool(name, arguments)
    if result.is_error:
        raise SystemExit(f"{name}: {result.content[0].text}")
    return result.structured_content


async def asked(client: Client, task: str) -> dict[str, Any]:
    """The questions that the task waits for, by their keys; none, when it has ended."""
    while True:
        status = await call(client, "tasks/getStatus", taskId=task)
        if status["status"] in ENDED:
            return {}
        questions = status.get("waitingFor", {})
        # While it waits for a time, that says until when.
        if "until" not in questions and questions:
            return questions
        await asyncio.sleep(0.1)


async def answer(client: Client, task: str, answers: dict[str, dict[str, Any]]) -> None:
    responses = {key: {"action": "accept", "content": content} for key, content in answers.items()}
    await client.session.send_request(Update(params={"taskId": task, "inputResponses": responses}), Nothing)


def said(key: str, question: dict[str, Any], by_hand: bool) -> dict[str, Any]:
    """What the customer says to a question: a form with the fields that it asks for."""
    message = question["params"]["message"]
    if by_hand:
        fields = question["params"]["requestedSchema"]["properties"]
        print(f"  {message}")
        return {name: typed(input(f"    {name}: ")) for name in fields}
    # After a restore a question has a key of its own: `solved/issue-2!1`.
    content = SAYS[key.split("!")[0].split("@")[0]]
    print(f"  {message} {json.dumps(content)}")
    return content


def typed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


async def first_client(url: str, by_hand: bool) -> tuple[str, str]:
    async with Client(url, extensions=[Tasks()]) as client:
        created = await call(client, "tasks/create", method="tools/call", params=CALL)
        task = created["taskId"]
        print(f"The conversation is a task, {task}.")
        for _ in range(2):
            questions = await asked(client, task)
            await answer(client, task, {key: said(key, it, by_hand) for key, it in questions.items()})
        await asked(client, task)
        checkpoint = await call(client, "sessions/saveCheckpoint", taskId=task, state={
            "currentStep": 2,
            "customerContext": {"email": "ada@example.com"},
            "resolvedIssues": ["issue-1"],
        })
        print(f"Saved as {checkpoint['checkpointId']}.")
        (key, question), = (await asked(client, task)).items()
        print(f"  {question['params']['message']} {{\"solved\": false}}")
        await answer(client, task, {key: {"solved": False}})
        await asked(client, task)
    print("The first client is gone, with a wrong answer given and a question open.")
    return task, checkpoint["checkpointId"]


async def second_client(url: str, task: str, checkpoint: str, by_hand: bool) -> None:
    async with Client(url, extensions=[Tasks()]) as client:
        restored = await call(client, "sessions/restoreCheckpoint", taskId=task, checkpointId=checkpoint)
        print(f"Restored: {restored['skippedSteps']} steps are skipped. The state: {restored['state']}")
        while questions := await asked(client, task):
            await answer(client, task, {key: said(key, it, by_hand) for key, it in questions.items()})
        report = await call(client, "tasks/getResult", taskId=task)
        print(f"The result: {json.dumps(report)}")


async def main(url: str, by_hand: bool) -> None:
    task, checkpoint = await first_client(url, by_hand)
    await second_client(url, task, checkpoint, by_hand)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("url", help="where the server is")
    arguments.add_argument("--ask", action="store_true", help="answer the questions yourself")
    given = arguments.parse_args()
    asyncio.run(main(given.url, given.ask))
