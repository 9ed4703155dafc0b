"""`python_tool`: counts the words of texts, against the bare contract.

Each text is a step, a few of them lie between two checkpoints, and progress is reported, so
an interrupted call goes on where it was. Names are unique between two checkpoints, so each
step is named by its text's number.
"""

import json
from collections import Counter

from componentize_py_types import Err
from wit_world.exports import Tools as Contract
from wit_world.imports import checkpoints, progress, steps
from wit_world.imports.types import (
    Annotations,
    Content_Text,
    Definition,
    Error_Failed,
    Error_InvalidArguments,
    Error_Stopped,
    Failure,
    Output,
    TaskSupport,
)

INPUT = {
    "type": "object",
    "properties": {
        "texts": {"type": "array", "items": {"type": "string"}},
        "chunk": {"type": "integer", "minimum": 1, "default": 10},
    },
    "required": ["texts"],
    "additionalProperties": False,
}
OUTPUT = {
    "type": "object",
    "properties": {"words": {"type": "object", "additionalProperties": {"type": "integer"}}},
    "required": ["words"],
}


class Tools(Contract):
    def describe(self):
        return [
            Definition(
                name="python_tool",
                title="Word counts",
                description="Counts the words of texts.",
                input_schema=json.dumps(INPUT),
                output_schema=json.dumps(OUTPUT),
                annotations=Annotations(True, False, True, False),
                task_support=TaskSupport.OPTIONAL,
                meta=None,
            )
        ]

    def call(self, name, arguments):
        if name != "python_tool":
            raise Err(Error_InvalidArguments(Failure(f"there is no tool `{name}` here", None)))
        texts, chunk = read(arguments)
        done, words = load()
        while done < len(texts):
            for number in range(done, min(done + chunk, len(texts))):
                words.update(count(number, texts[number]))
            done = min(done + chunk, len(texts))
            state = json.dumps({"done": done, "words": words})
            or_stop(lambda: checkpoints.save(state.encode()))
            progress.report(float(done), float(len(texts)), "texts counted")
        result = json.dumps({"words": dict(sorted(words.items()))})
        return Output([Content_Text(result)], result, None)


def read(arguments):
    try:
        given = json.loads(arguments)
        texts, chunk = given["texts"], int(given.get("chunk", 10))
    except (KeyError, TypeError, ValueError) as error:
        raise Err(Error_InvalidArguments(Failure(f"the arguments: {error}", None)))
    if chunk < 1 or not all(isinstance(text, str) for text in texts):
        message = "`texts` takes texts, `chunk` at least 1"
        raise Err(Error_InvalidArguments(Failure(message, None)))
    return texts, chunk


def load():
    checkpoint = checkpoints.load()
    if checkpoint is None or checkpoint.state is None:
        return 0, Counter()
    state = json.loads(checkpoint.state)
    return state["done"], Counter(state["words"])


def count(number, text):
    """A step: done once, however often the task is interrupted."""
    entry = or_stop(
        lambda: steps.begin(f"text/{number}", text.encode(), steps.Effect.REPEATABLE)
    )
    if isinstance(entry, steps.Entry_Replay):
        return json.loads(entry.value)
    if isinstance(entry, steps.Entry_InDoubt):
        raise Err(Error_Failed(Failure("a repeatable step is never in doubt", None)))
    words = Counter(text.lower().split())
    steps.Step.complete(entry.value, json.dumps(words).encode())
    return words


def or_stop(boundary):
    """What the boundary returns; where it asks to stop, the tool comes to its end."""
    try:
        return boundary()
    except Err:
        raise Err(Error_Stopped())
