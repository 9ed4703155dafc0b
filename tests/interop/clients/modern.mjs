// Tasks of revision 2026-07-28, driven by the Tasks extension's own client, ext-tasks 0.2, over the
// TypeScript SDK 2.4: node modern.mjs URL

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createTaskSessionFromClient } from "@modelcontextprotocol/ext-tasks/client";

import { check, finish, refused, text } from "./checks.mjs";

const URL_OF_SERVER = new URL(process.argv[2]);
const REVISION = "2026-07-28";
const TASKS = "io.modelcontextprotocol/tasks";

const clientInfo = { name: "modern", version: "1" };
const clientCapabilities = { elicitation: { form: {} } };
const deliveries = [];
let lastId = 0;

/** Sends a request as it is: the SDK's own types know no tasks. */
async function rawDispatch(request, { signal, context } = {}) {
  const id = `raw-${++lastId}`;
  const { method, params } = request;
  const headers = {
    "Content-Type": "application/json",
    Accept: "application/json, text/event-stream",
    "MCP-Protocol-Version": REVISION,
    "Mcp-Method": method,
    ...(method === "tools/call" ? { "Mcp-Name": params.name } : {}),
    ...context?.headers,
  };
  const body = JSON.stringify({ jsonrpc: "2.0", id, method, params });
  const response = await fetch(URL_OF_SERVER, { method: "POST", headers, body, signal });
  const { error, result } = messageOf(await response.text(), id);
  return error ? { kind: "error", error } : { kind: "result", result };
}

/** The answer with this id, in a JSON body or in a stream of events. */
function messageOf(body, id) {
  const lines = body.startsWith("{") ? [body] : body.split("\n").filter((line) => line.startsWith("data:"));
  const messages = lines.map((line) => JSON.parse(line.replace(/^data:\s*/, "")));
  return messages.find((message) => message.id === id) ?? { error: { code: 0, message: body } };
}

async function onInputRequest({ params }, { delivery }) {
  deliveries.push(delivery);
  const form = { name: "Ada", confirm: true, ok: true, color: "blue" };
  const fields = Object.keys(params.requestedSchema.properties);
  return { action: "accept", content: Object.fromEntries(fields.map((name) => [name, form[name]])) };
}

async function connect() {
  const client = new Client(clientInfo, {
    capabilities: clientCapabilities,
    versionNegotiation: { mode: "auto" },
  });
  await client.connect(new StreamableHTTPClientTransport(URL_OF_SERVER));
  const session = createTaskSessionFromClient(client, {
    endpointId: "stepwell",
    rawDispatch,
    v2RequestFraming: { protocolVersion: REVISION, clientInfo, clientCapabilities },
    onInputRequest,
    onError: (error) => check("nothing goes wrong behind the scenes", false, error),
  });
  return { client, session };
}

async function settled(session, name, args) {
  const execution = await session.callTool(name, args);
  const states = [];
  const onEvent = (event) => void (event.type === "task" && states.push(event.task.status));
  const { outcome } = await execution.settle({ onEvent });
  return { kind: execution.kind, outcome, states };
}

async function calls(client, session) {
  check("the era is the modern one", client.getProtocolEra() === "modern", client.getProtocolEra());
  const offered = client.getServerCapabilities().extensions?.[TASKS];
  check("the extension is offered", offered !== undefined, client.getServerCapabilities());

  const plain = await client.callTool({ name: "slow_compute", arguments: { seconds: 1, label: "inline" } });
  check("the SDK alone gets the result", text(plain) === "Computed inline in 1 s", plain);

  const greeting = await settled(session, "greet", { name: "World" });
  check("a quick call is answered", greeting.kind === "immediate", greeting);
  check("by its result", text(greeting.outcome.result) === "Hello, World!", greeting);

  const slow = await settled(session, "slow_compute", { seconds: 2, label: "task" });
  check("a slow one is a task", slow.kind === "task", slow);
  check("which is at work first", slow.states[0] === "working", slow);
  check("and then completed", text(slow.outcome.result) === "Computed task in 2 s", slow);
}

async function failing(session) {
  const failure = await settled(session, "failing_job", {});
  check("a tool's failure is a result", failure.outcome.result?.isError === true, failure);
  check("with its text", text(failure.outcome.result).includes("The job failed"), failure);
  const trap = await settled(session, "protocol_error_job", {});
  check("a trap is a failed task", trap.outcome.status === "failed", trap);
  check("with a code", typeof trap.outcome.error?.code === "number", trap);
  const unknown = await refused(session.task("00000000-0000-4000-8000-000000000000").snapshot());
  check("an unknown task is refused", unknown?.code === -32602, unknown);
}

async function cancelling(session) {
  const execution = await session.callTool("slow_compute", { seconds: 60, label: "cancelled" });
  await execution.cancel();
  const outcome = await execution.result();
  check("a cancelled task ends so", outcome.status === "cancelled", outcome);
}

async function asking(session) {
  deliveries.length = 0;
  const confirmed = await settled(session, "confirm_delete", { filename: "a.txt" });
  check("a task asks", deliveries.join() === "task-update", deliveries);
  check("and goes on with the answer", text(confirmed.outcome.result) === "Deleted a.txt", confirmed);

  deliveries.length = 0;
  const hello = await settled(session, "test_input_required_result_elicitation", {});
  check("a call asks", deliveries.join() === "request-retry", deliveries);
  check("and is answered", text(hello.outcome.result) === "Hello, Ada!", hello);

  deliveries.length = 0;
  const later = await settled(session, "test_tool_with_task", {});
  check("a call asks first", deliveries.join() === "request-retry", deliveries);
  check("and then becomes a task", later.kind === "task", later);
  check("which knows the answer", text(later.outcome.result) === "Hello, Ada!", later);
}

/** A task is found again by another session, with nothing but its reference. */
async function resuming(session) {
  const execution = await session.callTool("slow_compute", { seconds: 2, label: "resumed" });
  const reference = execution.serializeReference();
  await execution.detach();
  const other = await connect();
  const resumed = await other.session.resumeTask(reference);
  const { outcome } = await resumed.settle();
  check("another session gets the result", text(outcome.result) === "Computed resumed in 2 s", outcome);
  await other.session.close();
  await other.client.close();
}

const { client, session } = await connect();
await calls(client, session);
await failing(session);
await cancelling(session);
await asking(session);
await resuming(session);
await session.close();
await client.close();
finish();
