// Tasks of revision 2025-11-25, driven by the TypeScript SDK 1.32: node legacy.mjs URL

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema, ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

import { check, finish, refused, text } from "./checks.mjs";

const RELATED_TASK = "io.modelcontextprotocol/related-task";
const UNKNOWN_METHOD = -32601;
const WRONG_PARAMS = -32602;

const client = new Client({ name: "legacy", version: "1" }, { capabilities: { elicitation: {} } });
const tasks = client.experimental.tasks;
const questions = [];

client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
  questions.push(params);
  const form = { confirm: true, name: "Ada", username: "ada", email: "ada@example.com" };
  const fields = Object.keys(params.requestedSchema.properties);
  return { action: "accept", content: Object.fromEntries(fields.map((name) => [name, form[name]])) };
});

/** Calls a tool as a task; what the stream told, up to `stopAt`. */
async function stream(name, args, stopAt = () => false) {
  const seen = [];
  const call = tasks.callToolStream({ name, arguments: args }, CallToolResultSchema, {
    task: { ttl: 60000 },
  });
  for await (const message of call) {
    seen.push(message);
    if (stopAt(message)) break;
  }
  const taskId = seen.find((message) => message.type === "taskCreated")?.task.taskId;
  return { seen, taskId, last: seen.at(-1) };
}

const isCreated = (message) => message.type === "taskCreated";

async function handshake() {
  await client.connect(new StreamableHTTPClientTransport(new URL(process.argv[2])));
  const offered = client.getServerCapabilities().tasks;
  check("tools can be called as tasks", offered?.requests?.tools?.call !== undefined, offered);
  check("tasks can be listed and cancelled", offered?.list && offered?.cancel, offered);
  const { tools } = await client.listTools();
  const support = (name) => tools.find((tool) => tool.name === name)?.execution?.taskSupport;
  check("slow_compute may be a task", support("slow_compute") === "optional", support("slow_compute"));
  check("failing_job has to be one", support("failing_job") === "required", support("failing_job"));
}

async function plainCalls() {
  const greeting = await client.callTool({ name: "greet", arguments: { name: "World" } });
  check("a plain call is answered", text(greeting) === "Hello, World!", greeting);

  const reports = [];
  const onprogress = ({ progress }) => reports.push(progress);
  const call = { name: "test_tool_with_progress", arguments: {} };
  await client.callTool(call, CallToolResultSchema, { onprogress });
  check("its progress arrives", reports.join() === "0,50,100", reports);

  const asked = questions.length;
  const message = { message: "Who are you?" };
  const replied = await client.callTool({ name: "test_elicitation", arguments: message });
  check("it asks while it is called", questions.length === asked + 1, questions);
  check("and gets the answer", text(replied).includes("ada@example.com"), replied);
}

async function aTask() {
  const { seen, taskId, last } = await stream("slow_compute", { seconds: 2, label: "task" });
  check("a call as a task is answered by the task", seen[0].type === "taskCreated", seen);
  check("its status is told", seen.some((message) => message.type === "taskStatus"), seen);
  check("and then its result", text(last.result) === "Computed task in 2 s", last);
  const task = await tasks.getTask(taskId);
  check("it is completed", task.status === "completed", task);
  const result = await tasks.getTaskResult(taskId, CallToolResultSchema);
  check("the result can be had again", text(result) === text(last.result), result);
  check("it names its task", result._meta?.[RELATED_TASK]?.taskId === taskId, result);
  const listed = (await tasks.listTasks()).tasks.map((task) => task.taskId);
  check("it is in the list", listed.includes(taskId), listed);
}

async function cancelling() {
  const { taskId } = await stream("slow_compute", { seconds: 60, label: "cancelled" }, isCreated);
  const cancelled = await tasks.cancelTask(taskId);
  check("a cancel is answered by the cancelled task", cancelled.status === "cancelled", cancelled);
  const task = await tasks.getTask(taskId);
  check("it stays cancelled", task.status === "cancelled", task);
  const error = await refused(tasks.cancelTask(taskId));
  check("what has ended cannot be cancelled", error?.code === WRONG_PARAMS, error);
}

async function failing() {
  const { taskId, last } = await stream("failing_job", {});
  check("a tool's failure ends the call", last.type === "error" || last.result?.isError, last);
  const task = await tasks.getTask(taskId);
  check("the task has failed", task.status === "failed", task);
  check("its message is the tool's", task.statusMessage?.includes("The job failed"), task);
  const plain = await refused(client.request(
    { method: "tools/call", params: { name: "failing_job", arguments: {} } }, CallToolResultSchema));
  check("what has to be a task is not called without", plain?.code === UNKNOWN_METHOD, plain);
  const unknown = await refused(tasks.getTask("00000000-0000-4000-8000-000000000000"));
  check("an unknown task is refused", unknown?.code === WRONG_PARAMS, unknown);
}

async function asking() {
  questions.length = 0;
  const { seen, taskId, last } = await stream("confirm_delete", { filename: "a.txt" });
  const statuses = seen.map((message) => message.task?.status);
  check("a task that asks says so", statuses.includes("input_required"), statuses);
  check("the question comes", questions[0]?.message === "Delete a.txt?", questions);
  check("it names its task", questions[0]?._meta?.[RELATED_TASK]?.taskId === taskId, questions);
  check("and then the result", text(last.result) === "Deleted a.txt", last);
}

await handshake();
await plainCalls();
await aTask();
await cancelling();
await failing();
await asking();
await client.close();
finish();
