//! A task's events: in pages, as they happen, and over the end of a server.

use serde_json::{Value, json};

use crate::client::Told;
use crate::served::Served;

#[test]
fn events_come_in_pages() {
    let served = Served::new();
    let client = &served.client;
    let task = client.script(&json!([{"step": {"name": "a"}}, {"step": {"name": "b"}}]));
    client.until(&task, "completed");
    let all = client.get(&format!("/tasks/{task}/events")).json();
    assert_eq!(all["next"], Value::Null);
    let all = all["events"].as_array().unwrap().clone();
    let (mut paged, mut after) = (Vec::new(), 0);
    loop {
        let page = client
            .get(&format!("/tasks/{task}/events?limit=2&after={after}"))
            .json();
        paged.extend(page["events"].as_array().unwrap().clone());
        match page["next"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(paged, all);
    let (streamed, end) = client.events(&task, &[]).rest();
    assert_eq!(
        (streamed, end),
        (all.clone(), Some(json!({"status": "completed"})))
    );
    let last = all.last().unwrap()["number"].to_string();
    let line = format!("GET /api/v1/tasks/{task}/events?after={last}");
    let answer = client.send(&line, &[("Accept", "text/event-stream")], "");
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (204, ""),
        "there is nothing more, ever"
    );
    served.end();
}

#[test]
fn a_stream_goes_on_after_its_last_event_at_the_next_start_of_the_server() {
    let mut served = Served::new();
    let task = served.client.asks();
    let mut seen = Vec::new();
    for is_crash in [false, true] {
        let last = seen
            .last()
            .map_or(0, |event: &Value| event["number"].as_u64().unwrap());
        let last = last.to_string();
        let mut events = served.client.events(&task, &[("Last-Event-ID", &last)]);
        // Some of what there is, and then the server ends.
        for _ in 0..2 {
            let Some(Told::Event(_, event)) = events.next() else {
                panic!("no event after {last}");
            };
            seen.push(event);
        }
        let house = match is_crash {
            true => served.crash(),
            false => served.end().0,
        };
        let (rest, end) = events.rest();
        assert_eq!(end, None, "the task has not ended");
        seen.extend(rest);
        served = Served::start(house);
        served.client.until(&task, "waiting_input");
        // The waiting task is not touched by a start, so something has to happen for the next turn.
        let save = json!({"state": {}});
        for _ in 0..2 {
            served
                .client
                .post(&format!("/tasks/{task}/checkpoints"), &save);
        }
    }
    let last = seen.last().unwrap()["number"].to_string();
    let mut events = served.client.events(&task, &[("Last-Event-ID", &last)]);
    let Some(Told::Event(_, event)) = events.next() else {
        panic!("no event after {last}");
    };
    seen.push(event);
    let accept = json!({"question": "sure", "accept": {}});
    served
        .client
        .post(&format!("/tasks/{task}/answer"), &accept);
    let (rest, end) = events.rest();
    assert_eq!(end, Some(json!({"status": "completed"})));
    seen.extend(rest);
    let all = served.client.get(&format!("/tasks/{task}/events")).json();
    assert_eq!(json!(seen), all["events"], "each once, and in its order");
    served.end();
}

#[test]
fn a_stream_without_news_is_kept_alive() {
    let served = Served::new();
    let task = served.client.asks();
    let mut events = served.client.events(&task, &[]);
    while events.next() != Some(Told::Silence) {}
    assert_eq!(events.next(), Some(Told::Silence));
    served.end();
}
