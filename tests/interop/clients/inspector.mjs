// Tasks of both generations, driven by the command line of the MCP Inspector 2.12: node inspector.mjs URL

import { spawnSync } from "node:child_process";
import { join } from "node:path";

import { check, finish, text } from "./checks.mjs";

const INSPECTOR = join(import.meta.dirname, "node_modules/.bin/mcp-inspector");

/** Calls a tool; the first line that it prints, and how it exits. */
function call(era, name, args) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [
    INSPECTOR, "--cli",
    "--server-url", process.argv[2], "--transport", "http", "--protocol-era", era,
    "--format", "json",
    "--method", "tools/call", "--tool-name", name, "--tool-args-json", JSON.stringify(args),
  ], { encoding: "utf8", timeout: 60_000 });
  const line = stdout.split("\n").find((line) => line.startsWith("{")) ?? "{}";
  return { result: JSON.parse(line).result, status, stderr };
}

for (const era of ["modern", "legacy"]) {
  const greeting = call(era, "greet", { name: "World" });
  check(`${era}: a quick call is answered`, text(greeting.result) === "Hello, World!", greeting);
  const slow = call(era, "slow_compute", { seconds: 2, label: "task" });
  check(`${era}: a task is driven to its result`, text(slow.result) === "Computed task in 2 s", slow);
}
const failure = call("modern", "failing_job", {});
check("modern: what has to be a task is called as one", failure.result?.isError === true, failure);
check("modern: its failure is told", text(failure.result).includes("The job failed"), failure);
const failed = call("legacy", "failing_job", {});
check("legacy: so it is, by its task's message", failed.stderr.includes("The job failed"), failed);
finish();
