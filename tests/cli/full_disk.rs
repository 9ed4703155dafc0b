//! A disk that is full: a small one, in a mount namespace of its own.

use crate::house::{House, Ran};

/// Runs a task on a disk that is too small, then once there is more of it.
const SCRIPT: &str = r#"
set -u
mkdir small
mount -t tmpfs -o size=6m none small || { echo "no mount"; exit 97; }
run() { "$STEPWELL" run guest.wasm journal --args '{"count":2000,"bytes":4000}' --key k --data-dir small/d; }
run; first=$?
"$STEPWELL" tasks list --json --data-dir small/d; list=$?
cat /dev/zero > small/rest 2>/dev/null
"$STEPWELL" run guest.wasm echo --data-dir small/new 2>&1; full=$?
rm small/rest
mount -o remount,size=256m none small || { echo "no remount"; exit 97; }
run; second=$?
echo "exit codes: $first $list $full $second"
"#;

#[test]
fn a_full_disk_ends_the_process_and_loses_nothing() {
    let house = House::new();
    let words = ["--map-root-user", "--mount", "sh", "-c", SCRIPT];
    let mut command = std::process::Command::new("unshare");
    command.args(words).current_dir(house.path("."));
    command
        .env("STEPWELL", env!("CARGO_BIN_EXE_stepwell"))
        .env_remove("RUST_BACKTRACE");
    let Ran { code, out, err } = Ran::of(&mut command);
    assert_eq!(
        code, 0,
        "this test mounts a small tmpfs with `unshare --map-root-user --mount`, which has to be \
         allowed here (in a container: with CAP_SYS_ADMIN): {out} {err}"
    );
    assert!(out.contains("exit codes: 4 0 4 0"), "{out} {err}");
    assert!(
        err.contains("error: the store has failed and takes no more writes: No space"),
        "{err}"
    );
    assert!(
        err.contains("hint: what was finished before is kept; free some space"),
        "{err}"
    );
    assert!(out.contains("small/new can't be opened: No space"), "{out}");
    assert!(err.contains("going on with task"), "{err}");
    let running = out.lines().find(|line| line.starts_with('{')).unwrap();
    let task: serde_json::Value = serde_json::from_str(running).unwrap();
    assert!(task["steps_done"].as_u64().unwrap() > 0, "{task}");
    house.works();
}
