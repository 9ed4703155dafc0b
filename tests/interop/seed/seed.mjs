// The code of the article that asked for Stepwell, run by the TypeScript SDK: node seed.mjs SDK DATA URL
//
// SDK is `sdk` (1.32, revision 2025-11-25) or `client` (2.4, revision 2026-07-28). The calls are those
// of `seed.py`, which says what was changed in them.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";

import { check, finish, refused, text } from "./checks.mjs";

const [sdk, data, url] = process.argv.slice(2);
const RECORDS = 2000;
// What the article leaves open.
const ETL = { group_by: "region", measure: "amount", chunk_records: 100 };
const CUSTOMER = { email: "ada@example.com", plan: "gold" };
const TRADE = {
  account: "ada", symbol: "WASM", side: "buy", quantity: 3, price_cents: 1250,
  fill: "external", poll_ms: 60_000,
};

async function connected() {
  const info = { name: "seed", version: "1" };
  if (sdk === "client") {
    const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
    const client = new Client(info, { versionNegotiation: { mode: "auto" } });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return client;
  }
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const client = new Client(info);
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return client;
}

const connection = await connected();

/** A method of the protocol; its whole answer. */
async function call(method, params) {
  const { _meta, ...said } = await connection.request({ method, params }, z.looseObject({}));
  return said;
}

/** A tool, or a word that is called like one; its whole answer. */
const tool = (name, args) => connection.callTool({ name, arguments: args });

/** The same as a model sees it: the answer's text. */
const toolsCall = async (name, args) => text(await tool(name, args));

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** The article's part 2. */
async function taskModel() {
  const taskId = await call("tasks/create", {
    method: "tools/call",
    params: { name: "etl_pipeline", arguments: { ...ETL } },
  });
  const status = await call("tasks/getStatus", { taskId });
  const result = await call("tasks/getResult", { taskId });

  check("model: a task is created at once", taskId.status === "pending", taskId);
  check("model: without progress", taskId.progress === 0 && taskId.createdAt, taskId);
  check("model: it has a status", ["pending", "running", "completed"].includes(status.status), status);
  check("model: a result, or that there is none yet", result.ready === false || result.content, result);
  const later = await call("tasks/getResult", { taskId, waitMs: 30_000 });
  check("model: then the tool's own result", later.structuredContent?.cleaned === RECORDS, later);
  const last = await call("tasks/getStatus", { taskId: taskId.taskId });
  check("model: the task is completed", last.status === "completed", last);
}

/** The article's part 3. */
async function checkpoints() {
  const taskId = await call("tasks/create", {
    method: "tools/call",
    params: { name: "etl_pipeline", arguments: { ...ETL, chunk_records: 5 } },
  });
  for (let tries = 0; tries < 1000; tries += 1) {
    if ((await call("tasks/getStatus", { taskId })).progress > 0) break;
    await sleep(10);
  }

  const state = { currentStep: 3, processedRows: 15000 };
  const checkpoint = await call("sessions/saveCheckpoint", { taskId, state });
  const { checkpointId } = checkpoint;
  const restored = await call("sessions/restoreCheckpoint", { taskId, checkpointId });

  check("checkpoint: a task at work has one saved", checkpointId.startsWith("cp-"), checkpoint);
  check("checkpoint: its state comes back", same(restored.state, state), restored);
  check("checkpoint: the steps before it are skipped", restored.skippedSteps > 0, restored);
  check("checkpoint: the task goes on from there", restored.resumed === true, restored);
  const unknown = { taskId, checkpointId: "cp-12345" };
  const error = await refused(call("sessions/restoreCheckpoint", unknown));
  check("checkpoint: one that nobody saved is refused", error?.message.includes("cp-12345"), error);
  const result = await call("tasks/getResult", { taskId, waitMs: 30_000 });
  check("checkpoint: it comes to its end", result.structuredContent?.cleaned === RECORDS, result);
  const rows = readFileSync(join(data, "out/cleaned.csv"), "utf8").trimEnd().split("\n");
  check("checkpoint: no row is there twice", new Set(rows).size === RECORDS + 1 && rows.length === RECORDS + 1, rows.length);
}

/** The article's scenario 1. */
async function dataPipeline() {
  const taskId = await toolsCall("tasks/create", {
    method: "tools/call",
    params: { name: "etl_pipeline", arguments: { data_size: "10GB" } },
  });
  const notified = await tool("tools/call", { name: "notify", arguments: { message: "ETL started" } });
  const result = await toolsCall("tasks/getResult", { taskId });

  check("pipeline: another tool answers meanwhile", notified.structuredContent?.message === "ETL started", notified);
  check("pipeline: a result, or how it stands", /not ready|cleaned/.test(result), result);
  const later = await toolsCall("tasks/getResult", { taskId, waitMs: 30_000 });
  check("pipeline: the result, later", JSON.parse(later).cleaned === RECORDS, later);
  const word = await toolsCall("tasks/getStatus", { taskId });
  check("pipeline: the word for it", word === "completed", word);
}

/** The article's scenario 2. */
async function support() {
  const state = { currentStep: 2, customerContext: CUSTOMER, resolvedIssues: ["issue-1", "issue-2"] };
  const checkpointId = await toolsCall("sessions/saveCheckpoint", { taskId: "support-task-123", state });
  const restored = await tool("sessions/restoreCheckpoint", { taskId: "support-task-123", checkpointId });

  check("support: a session has a checkpoint", checkpointId.startsWith("cp-"), checkpointId);
  const session = restored.structuredContent;
  check("support: what was saved comes back",
    session?.state.currentStep === 2 && session.state.resolvedIssues.length === 2, restored);
  check("support: by its names",
    session?.taskId === "support-task-123" && session.checkpointId === checkpointId, restored);
}

/** The article's scenario 3. */
async function trade() {
  const ledger = join(data, "exchange/ledger.ndjson");
  const lines = () => (existsSync(ledger) ? readFileSync(ledger, "utf8").trimEnd().split("\n") : []);
  const before = lines().length;

  const taskId = await toolsCall("tasks/create", {
    method: "tools/call",
    params: { name: "trade_execution", arguments: { ...TRADE } },
  });
  const timeoutHandler = async (taskId, timeoutSeconds = 1800) => {
    await sleep(timeoutSeconds * 1000);
    await toolsCall("tasks/cancel", { taskId });
    return tool("tools/call", { name: "notify_timeout", arguments: { taskId } });
  };
  const notice = await timeoutHandler(taskId, 2);

  check("trade: the timeout is reported", notice.structuredContent?.taskId === taskId, notice);
  const { isError, structuredContent: ended } = await tool("tasks/getResult", { taskId, waitMs: 30_000 });
  check("trade: it is cancelled, and cleanly",
    isError && ended?.status === "cancelled" && ended.how === "clean", ended);
  const kinds = lines().slice(before).map((line) => JSON.parse(line).kind);
  check("trade: and undone", kinds.join() === "reserve,place,cancel,release", kinds);
  const again = await tool("tasks/cancel", { taskId });
  check("trade: to cancel it again does no harm", again.structuredContent?.cancelled === true, again);
}

/** What the article says in its part 1: any type of request can be made a task. */
async function anyRequest() {
  const taskId = await call("tasks/create", { method: "tools/list", params: {} });
  const result = await call("tasks/getResult", { taskId, waitMs: 10_000 });
  const isListed = result.tools?.some(({ name }) => name === "etl_pipeline");
  check("any: a list is made a task", isListed, result);
}

const rows = Array.from({ length: RECORDS }, (_, row) => `${row},${["north", "south", "east"][row % 3]},${row}.5`);
writeFileSync(join(data, "in/sales.csv"), ["order,region,amount", ...rows, ""].join("\n"));

const parts = { model: taskModel, checkpoint: checkpoints, pipeline: dataPipeline, support, trade, any: anyRequest };
for (const [name, part] of Object.entries(parts)) {
  const error = await refused(part());
  check(`${name}: all of it was run`, error === undefined, error);
}
await connection.close();
finish();
