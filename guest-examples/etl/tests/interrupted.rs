//! A run that is cut short at any place and goes on from a state leaves the same files.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use etl::{Options, Pipeline, Plan, Reason, State};

type Files = Vec<(String, String)>;

fn input(folder: &Path) {
    let mut csv = "id,country,amount,note\n".to_owned();
    for id in 0..1000 {
        let country = ["de", "fr", " jp ", ""][id % 4];
        let note = if id % 7 == 0 {
            "\"two, or\nthree\""
        } else {
            "plain"
        };
        let amount = if id % 13 == 0 {
            "n/a".to_owned()
        } else {
            format!("{}.{:02}", id, id % 100)
        };
        writeln!(csv, "{id},{country},{amount},{note}").unwrap();
    }
    fs::write(folder.join("a.csv"), csv).unwrap();
    fs::write(
        folder.join("b.csv"),
        "note,id,country,amount\n\nx,1,de,1.5\nx,2\n\n",
    )
    .unwrap();
    let lines = "{\"id\":7,\"country\":\"fr\",\"amount\":2.25,\"note\":null}\nnot json\n";
    fs::write(folder.join("c.ndjson"), lines).unwrap();
    fs::write(
        folder.join("d.csv"),
        b"\xef\xbb\xbfid,country,amount,note\n1,de,1,\xff\n2,de,2,last",
    )
    .unwrap();
}

fn options(folder: &Path, output: &str) -> Options {
    Options {
        input: folder.join("in"),
        output: folder.join(output),
        group_by: Some("country".to_owned()),
        measure: Some("amount".to_owned()),
        required: vec!["country".to_owned()],
    }
}

fn files(folder: &Path) -> Files {
    let mut files: Files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.display().to_string(),
                fs::read_to_string(path).unwrap(),
            )
        })
        .map(|(path, text)| (path.rsplit('/').next().unwrap().to_owned(), text))
        .collect();
    files.sort();
    files
}

fn run(options: &Options, records: u64, interrupted: bool) -> Files {
    let plan = Plan::make(options).unwrap();
    let mut pipeline = Pipeline::new(options, &plan).unwrap();
    let mut state = State::default();
    let mut round = 0;
    while !plan.is_done(&state) {
        round += 1;
        if interrupted && round % 3 == 0 {
            // This chunk is lost, and so is the process.
            pipeline.chunk(&state, records).unwrap();
            pipeline = Pipeline::new(options, &plan).unwrap();
        }
        if interrupted && round % 5 == 0 {
            // This one is done again by the same process.
            pipeline.chunk(&state, records * 2).unwrap();
        }
        state = pipeline.chunk(&state, records).unwrap();
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
    }
    assert_eq!(plan.bytes_done(&state), plan.bytes());
    pipeline.finish(&state).unwrap();
    files(&options.output)
}

#[test]
fn an_interrupted_run_leaves_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    input(&folder.path().join("in"));
    let whole = run(&options(folder.path(), "whole"), 1_000_000, false);
    for records in [1, 7, 100, 999] {
        let output = format!("out-{records}");
        let cut = run(&options(folder.path(), &output), records, true);
        assert!(cut == whole, "chunks of {records}");
    }
}

#[test]
fn records_are_cleaned_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    input(&folder.path().join("in"));
    let options = options(folder.path(), "out");
    let plan = Plan::make(&options).unwrap();
    assert_eq!(plan.columns, ["id", "country", "amount", "note"]);
    let mut pipeline = Pipeline::new(&options, &plan).unwrap();
    let state = pipeline.chunk(&State::default(), u64::MAX).unwrap();
    let summary = pipeline.finish(&state).unwrap();
    assert_eq!(summary.rejected[&Reason::Missing], 250);
    assert_eq!(summary.rejected[&Reason::FieldCount], 1);
    assert_eq!(summary.rejected[&Reason::Unreadable], 2);
    assert_eq!(summary.groups["jp"].min.to_string(), "2.02");
    let cleaned = fs::read_to_string(options.output.join("cleaned.csv")).unwrap();
    assert!(cleaned.contains("14,jp,14.14,\"two, or\nthree\"\n"));
    assert!(cleaned.ends_with("1,de,1.5,x\n7,fr,2.25,\n2,de,2,last\n"));
}
