// What a run of the conformance suite came to: node judge.mjs RESULTS EXPECTED-FAILURES
//
// The suite holds only the scenarios that a revision requires against the expected failures. Here
// that rule holds for all that were run: a check that failed or warned has to be expected, and what
// is expected has to fail.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const [results, expectedFile] = process.argv.slice(2);

const expected = new Set(readFileSync(expectedFile, "utf8").split("\n").flatMap((line) => {
  const entry = /^\s*- (\S+)$/.exec(line);
  return entry ? [entry[1]] : [];
}));

const scenarios = readdirSync(results).sort().map((folder) => ({
  // server-SCENARIO-2026-11-20T15-35-49-039Z
  name: folder.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, ""),
  checks: JSON.parse(readFileSync(join(results, folder, "checks.json"), "utf8")),
}));

const passed = scenarios.flatMap(({ checks }) => checks).filter(({ status }) => status === "SUCCESS");
const failed = scenarios.flatMap(({ name, checks }) =>
  checks
    .filter(({ status }) => status === "FAILURE" || status === "WARNING")
    .map(({ id, status, errorMessage }) => ({ name, id, status, errorMessage })));

const seen = new Set();
const unexpected = failed.filter(({ name, id }) => {
  const entry = [name, `${name}:${id}`].find((entry) => expected.has(entry));
  seen.add(entry);
  return entry === undefined;
});
const stale = [...expected].filter((entry) => !seen.has(entry));

for (const { name, id, status, errorMessage } of unexpected) {
  console.log(`  ${status} ${name}:${id}: ${errorMessage}`);
}
for (const entry of stale) {
  console.log(`  expected to fail, and did not: ${entry}`);
}
const failing = new Set(failed.map(({ name }) => name)).size;
const expectedly = failed.length - unexpected.length;
console.log(
  `${scenarios.length - failing} of ${scenarios.length} scenarios passed, ${passed.length} checks;`
  + ` ${expectedly} failed as expected, ${unexpected.length} unexpectedly`);
process.exit(passed.length === 0 || unexpected.length > 0 || stale.length > 0 ? 1 : 0);
