// What the clients in JavaScript share: a line for each check, and how many there were.

let passed = 0;
let failed = 0;

export function check(what, holds, seen) {
  if (holds) {
    passed += 1;
    console.log(`  ok    ${what}`);
  } else {
    failed += 1;
    console.log(`  WRONG ${what}: ${seen instanceof Error ? seen : JSON.stringify(seen)}`);
  }
}

export function finish() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed || !passed ? 1 : 0);
}

export const text = (result) => result?.content?.[0]?.text ?? "";

/** What `promise` was refused with; undefined where it was not. */
export const refused = (promise) => promise.then(() => undefined, (error) => error);
