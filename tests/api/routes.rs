//! What each route answers.

use serde_json::{Value, json};

use crate::served::Served;

#[test]
fn a_task_from_its_beginning_to_its_fork() {
    let served = Served::new();
    for client in [served.client.clone(), served.by_socket()] {
        let task = client.asks();
        let of = |rest: &str| format!("/tasks/{task}{rest}");
        let shown = client.get(&of("")).json();
        assert_eq!(shown["questions"][0]["question"], "sure");
        assert_eq!(shown["arguments"]["ops"][0]["step"]["name"], "a");
        let early = client.get(&of("/result"));
        assert_eq!(early.refusal(), (409, "not-ended".into()));

        let saved = client.post(&of("/checkpoints"), &json!({"state": {"note": 1}}));
        assert_eq!(saved.status, 201, "{saved:?}");
        let checkpoint = saved.json()["checkpoint"].as_str().unwrap().to_owned();
        let kept = client.get(&of("/checkpoints")).json();
        assert_eq!(kept["checkpoints"][0]["checkpoint"], json!(checkpoint));
        assert_eq!(kept["checkpoints"][0]["origin"], "client");
        let envelope = client
            .get(&of(&format!("/checkpoints/{checkpoint}")))
            .json();
        assert_eq!(envelope["format"], "stepwell.checkpoint/1");
        assert_eq!(envelope["state"], json!({"note": 1}));

        let paused = client.post(&of("/pause"), &json!({}));
        assert_eq!(
            (paused.status, &paused.json()["status"]),
            (200, &json!("paused"))
        );
        let fork = client.post(&of("/fork"), &json!({}));
        assert_eq!(fork.status, 201, "{fork:?}");
        let resumed = client.post(&of("/resume"), &json!({})).json();
        assert_eq!(resumed["status"], "waiting_input");

        let restore = json!({ "checkpoint": checkpoint });
        let restored = client.post(&of("/restore"), &restore).json();
        assert_eq!(restored["task"]["task"], json!(task));
        assert_eq!(restored["state"]["state"], json!({"note": 1}));
        assert_eq!(restored["not_resumed"], Value::Null);

        let asks = client.until(&task, "waiting_input");
        let question = asks["questions"][0]["question"].clone();
        let wrong = json!({"question": question, "accept": {"yes": 1}});
        let wrong = client.post(&of("/answer"), &wrong);
        assert_eq!(wrong.refusal(), (422, "invalid-answer".into()));
        let answer = json!({"question": question, "accept": {"yes": true}});
        assert_eq!(client.post(&of("/answer"), &answer).status, 200);
        client.until(&task, "completed");
        let result = client.get(&of("/result")).json();
        assert_eq!(result["status"], "completed");
        assert!(
            result["result"]["structured"]["transcript"].is_array(),
            "{result}"
        );
        assert_eq!(result.get("limits"), None);

        let fork = json!({"limits": {"fuel": 5_000_000_000_u64}});
        let fork = client.post(&of("/fork"), &fork);
        assert_eq!(fork.json()["limits"]["fuel"], 5_000_000_000_u64);
        assert_eq!(fork.json()["forked_from"]["task"], json!(task));
        let gone = client.post(&of("/restore"), &restore).json();
        assert!(gone["not_resumed"].is_string(), "{gone}");
        let ended = client.post(&of("/cancel"), &json!({}));
        assert_eq!(ended.refusal(), (409, "not-now".into()));
    }
    served.end();
}

#[test]
fn a_task_is_cancelled() {
    let served = Served::new();
    let client = &served.client;
    let task = client.asks();
    let cancel = json!({"mode": "graceful", "grace": 2_000, "why": "enough"});
    let cancelled = client.post(&format!("/tasks/{task}/cancel"), &cancel);
    assert_eq!(cancelled.status, 200);
    let ended = client.until(&task, "cancelled");
    assert_eq!(ended["stop"]["cancel"]["why"], "enough");
    assert_eq!(ended["stop"]["grace"], 2_000);
    let task = client.asks();
    let now = json!({"mode": "immediate"});
    let cancelled = client.post(&format!("/tasks/{task}/cancel"), &now).json();
    assert_eq!(
        (&cancelled["status"], &cancelled["how"]),
        (&json!("cancelled"), &json!("immediate"))
    );
    let declined = client.asks();
    let decline = json!({"question": "sure", "decline": true});
    let path = format!("/tasks/{declined}/answer");
    assert_eq!(client.post(&path, &decline).status, 200);
    served.end();
}

#[test]
fn a_list_is_filtered_and_comes_in_pages() {
    let served = Served::new();
    let client = &served.client;
    let tasks: Vec<_> = (0..3).map(|_| client.asks()).collect();
    client.post(&format!("/tasks/{}/pause", tasks[1]), &json!({}));
    let ids = |query: &str| {
        let page = client.get(&format!("/tasks?{query}")).json();
        let tasks = page["tasks"]
            .as_array()
            .unwrap_or_else(|| panic!("{page}"))
            .clone();
        let ids = tasks
            .iter()
            .map(|task| task["task"].as_str().unwrap().to_owned());
        (
            ids.collect::<Vec<_>>(),
            page["next"].as_str().map(str::to_owned),
        )
    };
    let newest_first: Vec<_> = tasks.iter().rev().cloned().collect();
    assert_eq!(ids(""), (newest_first.clone(), None));
    assert_eq!(ids("status=paused").0, [tasks[1].clone()]);
    assert_eq!(ids("status=paused,waiting_input").0.len(), 3);
    assert_eq!(ids("tool=script").0.len(), 3);
    assert_eq!(ids("tool=other").0.len(), 0);
    assert_eq!(ids("owner=local:user").0.len(), 3);
    assert_eq!(ids("owner=key:ann").0.len(), 0);
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let (page, next) = ids(&format!("limit=1{cursor}"));
        assert!(page.len() <= 1);
        paged.extend(page);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, newest_first);
    served.end();
}
