//! Who may do what to whose task: every way to name one, for every kind of asker, as one table.
//!
//! A method is a row of [`ROWS`], an asker a line of [`askers`]; what is expected of each cell
//! follows from what the row does to the task.

use serde_json::{Value, json};
use stepwell::identity::Minted;

use crate::agent::{Agent, Request, everything};
use crate::house::{GUEST, House, Server, asking, gated};
use crate::table::Table;
use crate::wire::{Answer, Wire};

/// What nobody but those who may see the task may ever read.
const SECRET: &str = "ann's own secret";

/// What an asker is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    /// It is done.
    Done,
    /// There is no such task.
    Unknown,
    /// Such callers do not do this at all.
    Forbidden,
    /// It is refused for what it carries.
    Refused,
    /// They are nobody here.
    Nobody,
}

/// What a row does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Does {
    /// Nothing that is anybody's.
    Nothing,
    /// Calls a tool.
    Call,
    /// Looks at the task.
    See,
    /// Changes it.
    Change,
    /// Saves state beside it; for whom there is no such task, under a name of their own.
    Save,
    /// Cancels it.
    Cancel,
    /// Answers its questions.
    Answer,
    /// Goes on with the call, by what its client was handed.
    GoOn,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Owner,
    Caller,
    Reader,
    Administrator,
    /// Anybody of another tenant who may call tools.
    Elsewhere,
    Nobody,
}

/// One way to name a task.
struct Row {
    name: &'static str,
    does: Does,
    /// Whether it is asked of a task that has ended; else of one that waits for an answer.
    of_ended: bool,
    request: fn(&Named) -> Request,
}

/// What names the task.
struct Named {
    id: String,
    state: String,
}

const fn row(name: &'static str, does: Does, request: fn(&Named) -> Request) -> Row {
    Row {
        name,
        does,
        of_ended: false,
        request,
    }
}

const ROWS: [Row; 27] = [
    row("server/discover", Does::Nothing, |_| {
        modern("server/discover", json!({}))
    }),
    row("tools/list", Does::Nothing, |_| {
        modern("tools/list", json!({}))
    }),
    row("tools/list, legacy", Does::Nothing, |_| {
        Request::legacy("tools/list", &json!({}))
    }),
    row("tools/call", Does::Call, |_| {
        modern("tools/call", call(&json!({"ops": []})))
    }),
    row("tools/call, legacy", Does::Call, |_| {
        Request::legacy("tools/call", &call(&json!({"ops": []})))
    }),
    row("tools/call, legacy, as a task", Does::Call, |_| {
        let params = json!({"name": "script", "arguments": {"ops": []}, "task": {}});
        Request::legacy("tools/call", &params)
    }),
    row("tools/call with the state", Does::GoOn, |named| {
        let answer = json!({"action": "accept", "content": {"name": "x"}});
        let params = json!({
            "name": "script",
            "arguments": asking(SECRET),
            "requestState": named.state,
            "inputResponses": {"who": answer},
        });
        modern("tools/call", params)
    }),
    row("tasks/get", Does::See, |named| {
        modern("tasks/get", named.task())
    }),
    row("tasks/get, legacy", Does::See, |named| {
        Request::legacy("tasks/get", &named.task())
    }),
    Row {
        of_ended: true,
        ..row("tasks/get of one that has ended", Does::See, |named| {
            modern("tasks/get", named.task())
        })
    },
    Row {
        of_ended: true,
        ..row("tasks/result, legacy", Does::See, |named| {
            Request::legacy("tasks/result", &named.task())
        })
    },
    row("tasks/list, legacy", Does::See, |_| {
        Request::legacy("tasks/list", &json!({}))
    }),
    row("subscriptions/listen", Does::See, |named| {
        let notifications = json!({"taskIds": [named.id]});
        modern(
            "subscriptions/listen",
            json!({ "notifications": notifications }),
        )
    }),
    row("tasks/update", Does::Answer, |named| {
        let answer = json!({"action": "accept", "content": {"name": "x"}});
        let params = json!({"taskId": named.id, "inputResponses": {"who": answer}});
        modern("tasks/update", params)
    }),
    row("tasks/cancel", Does::Cancel, |named| {
        modern("tasks/cancel", named.task())
    }),
    row("tasks/cancel, legacy", Does::Cancel, |named| {
        Request::legacy("tasks/cancel", &named.task())
    }),
    row("tasks/create", Does::Call, |_| {
        let create = json!({"method": "tools/call", "params": call(&json!({"ops": []}))});
        modern("tasks/create", create)
    }),
    row("tasks/getStatus", Does::See, |named| {
        modern("tasks/getStatus", named.task())
    }),
    row("tasks/getResult", Does::See, |named| {
        modern("tasks/getResult", named.task())
    }),
    row("sessions/saveCheckpoint", Does::Save, |named| {
        modern("sessions/saveCheckpoint", named.saved())
    }),
    row("sessions/restoreCheckpoint", Does::Change, |named| {
        modern("sessions/restoreCheckpoint", named.restored())
    }),
    row("tasks/create, as a tool", Does::Call, |_| {
        let create = json!({"method": "tools/call", "params": call(&json!({"ops": []}))});
        tool("tasks/create", &create)
    }),
    row("tasks/getStatus, as a tool", Does::See, |named| {
        tool("tasks/getStatus", &named.task())
    }),
    row("tasks/getResult, as a tool", Does::See, |named| {
        tool("tasks/getResult", &named.task())
    }),
    row("tasks/cancel, as a tool", Does::Cancel, |named| {
        tool("tasks/cancel", &named.task())
    }),
    row("saveCheckpoint, as a tool", Does::Save, |named| {
        tool("sessions/saveCheckpoint", &named.saved())
    }),
    row("restoreCheckpoint, as a tool", Does::Change, |named| {
        tool("sessions/restoreCheckpoint", &named.restored())
    }),
];

fn modern(method: &str, params: Value) -> Request {
    Request::modern(&everything(), method, params)
}

/// A word of the plain vocabulary, called as a tool by a legacy client.
fn tool(name: &str, arguments: &Value) -> Request {
    Request::legacy("tools/call", &json!({"name": name, "arguments": arguments}))
}

fn call(arguments: &Value) -> Value {
    json!({"name": "script", "arguments": arguments})
}

impl Named {
    fn task(&self) -> Value {
        json!({"taskId": self.id})
    }

    fn saved(&self) -> Value {
        json!({"taskId": self.id, "state": {"a": 1}})
    }

    fn restored(&self) -> Value {
        json!({"taskId": self.id, "checkpointId": "cp-0"})
    }
}

fn expected(does: Does, who: Who) -> Told {
    match (does, who) {
        (_, Who::Nobody) => Told::Nobody,
        (Does::Call, Who::Reader) => Told::Forbidden,
        (Does::Nothing | Does::Call, _)
        | (Does::Save, Who::Caller | Who::Elsewhere | Who::Administrator)
        | (_, Who::Owner)
        | (Does::See, Who::Reader | Who::Administrator)
        | (Does::Change | Does::Cancel, Who::Administrator) => Told::Done,
        (Does::GoOn, _) => Told::Refused,
        (_, Who::Caller | Who::Elsewhere) => Told::Unknown,
        (_, Who::Reader | Who::Administrator) => Told::Forbidden,
    }
}

/// What an answer says. A list, or a subscription, without the task says that there is none.
fn told(row: &Row, named: &Named, agent: &Agent) -> Told {
    let request = (row.request)(named);
    if row.name == "subscriptions/listen" && agent_is_known(agent) {
        let mut stream = agent.begin(&request);
        let first = stream.event().expect("an acknowledgement");
        return match first["params"]["notifications"].get("taskIds") {
            Some(_) => Told::Done,
            None => Told::Unknown,
        };
    }
    let answer = agent.send(&request);
    let told = read(&answer);
    match (told, row.name) {
        (Told::Done, "tasks/list, legacy") if !answer.body.contains(&named.id) => Told::Unknown,
        (Told::Done, _) => Told::Done,
        _ => {
            assert!(!answer.body.contains(SECRET), "{answer:?}");
            told
        }
    }
}

fn agent_is_known(agent: &Agent) -> bool {
    agent.send(&modern("server/discover", json!({}))).status != 401
}

fn read(answer: &Answer) -> Told {
    if answer.status == 401 {
        assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
        return Told::Nobody;
    }
    let message = answer.messages().pop().expect("a message");
    match message.get("error") {
        None => Told::Done,
        Some(error) if error.to_string().contains("there is no task") => Told::Unknown,
        Some(error) if error["data"]["kind"] == "forbidden" => Told::Forbidden,
        Some(_) => Told::Refused,
    }
}

/// What somebody is called here, who they are, and the key that they have.
type Asker = (&'static str, Who, Option<String>);

/// The configuration, and everybody with the key that they have, if they have one.
fn askers() -> (String, Vec<Asker>) {
    let mut config = GUEST.to_owned();
    let mut askers = Vec::new();
    let mut add = |name, who, id: &str, rest: &str| {
        let minted = Minted::new(id).expect("a key");
        let digest = minted.digest;
        config.push_str(&format!(
            "[[keys]]\nid = \"{id}\"\ndigest = \"sha256:{digest}\"\n{rest}\n"
        ));
        askers.push((name, who, Some(minted.key.expose().to_owned())));
    };
    let ann = "tenant = \"acme\"\nsubject = \"ann\"";
    let expired = format!("{ann}\nexpires = 2020-01-01T00:00:00Z");
    add("the owner", Who::Owner, "ann", ann);
    add("by another key", Who::Owner, "ann-2", ann);
    add(
        "another caller",
        Who::Caller,
        "bob",
        "tenant = \"acme\"\nsubject = \"bob\"",
    );
    add(
        "a reader",
        Who::Reader,
        "carol",
        "tenant = \"acme\"\nsubject = \"carol\"\nrole = \"reader\"",
    );
    add(
        "administrator",
        Who::Administrator,
        "root",
        "tenant = \"acme\"\nsubject = \"root\"\nrole = \"administrator\"",
    );
    add(
        "another tenant",
        Who::Elsewhere,
        "ann-there",
        "tenant = \"other\"\nsubject = \"ann\"",
    );
    add(
        "its administrator",
        Who::Elsewhere,
        "root-there",
        "tenant = \"other\"\nsubject = \"root\"\nrole = \"administrator\"",
    );
    add(
        "a revoked key",
        Who::Nobody,
        "ann-3",
        &format!("{ann}\nrevoked = true"),
    );
    add("an expired key", Who::Nobody, "ann-4", &expired);
    let own = askers[0].2.clone().expect("a key");
    let forged = format!("sw_ann_{}", "A".repeat(own.len() - "sw_ann_".len()));
    askers.push(("no key", Who::Nobody, None));
    askers.push(("garbage", Who::Nobody, Some("garbage".into())));
    askers.push(("a forged key", Who::Nobody, Some(forged)));
    (config, askers)
}

/// A task of the owner's, of which the row is asked.
fn named(owner: &Agent, row: &Row) -> Named {
    let mut state = String::new();
    let id = if row.does == Does::GoOn {
        let request = Request::modern(
            &json!({"elicitation": {}}),
            "tools/call",
            call(&asking(SECRET)),
        );
        let answer = owner.send(&request).messages().pop().expect("an answer");
        let given = answer["result"]["requestState"].as_str();
        given.expect("a state").clone_into(&mut state);
        String::new()
    } else if row.of_ended {
        let id = owner.task(&json!({"ops": [{"now": SECRET}]}));
        owner.completed(&id);
        id
    } else {
        let id = owner.task(&asking(SECRET));
        owner.until(&id, |task| task["status"] == "input_required");
        id
    };
    Named { id, state }
}

#[test]
fn a_task_is_there_only_for_who_may_reach_it() {
    let (config, askers) = askers();
    let house = House::with(&config);
    let server = house.serve();
    let owner = agent(&server, askers[0].2.as_ref());
    let mut table = Table::new(askers.iter().map(|(name, ..)| *name));
    for row in &ROWS {
        let cells = askers.iter().map(|(_, who, key)| {
            let asker = agent(&server, key.as_ref());
            let named = named(&owner, row);
            (expected(row.does, *who), told(row, &named, &asker))
        });
        table.row(row.name, cells.collect());
    }
    table.check();
    server.end();
}

#[test]
fn somebody_else_s_task_looks_like_none() {
    let (config, askers) = askers();
    let house = House::with(&config);
    let server = house.serve();
    let owner = agent(&server, askers[0].2.as_ref());
    let rows = ROWS
        .iter()
        .filter(|row| {
            matches!(
                row.does,
                Does::See | Does::Change | Does::Cancel | Does::Answer
            )
        })
        .filter(|row| !["tasks/list, legacy", "subscriptions/listen"].contains(&row.name));
    for row in rows {
        let real = named(&owner, row);
        let none = Named {
            id: uuid::Uuid::new_v4().to_string(),
            state: String::new(),
        };
        for (name, who, key) in &askers {
            if !matches!(who, Who::Caller | Who::Elsewhere) {
                continue;
            }
            let asker = agent(&server, key.as_ref());
            let [real, none] = [&real, &none].map(|named| {
                let answer = asker.send(&(row.request)(named));
                (answer.status, answer.body.replace(&named.id, "ID"))
            });
            assert_eq!(real, none, "{}: {name}", row.name);
        }
    }
    server.end();
}

#[test]
fn what_is_asked_of_one_client_is_not_answered_by_another() {
    let (config, askers) = askers();
    let house = House::with(&config);
    let server = house.serve();
    let ann = agent(&server, askers[0].2.as_ref()).shaken_hands();
    let bob = agent(&server, askers[2].2.as_ref()).shaken_hands();
    let request = Request::legacy("tools/call", &call(&asking("Who?")));
    let mut stream = ann.begin(&request);
    let asked = stream.event().expect("a question");
    assert_eq!(asked["method"], "elicitation/create", "{asked}");
    let answer = |agent: &Agent, name: &str| {
        let response = Request {
            headers: vec![("MCP-Protocol-Version".into(), "2025-11-25".into())],
            body: json!({
                "jsonrpc": "2.0",
                "id": asked["id"],
                "result": {"action": "accept", "content": {"name": name}},
            }),
        };
        assert_eq!(agent.send(&response).status, 202);
    };
    answer(&bob, "Bob");
    answer(&ann, "Ann");
    let result = stream.event().expect("the result");
    let text = result.to_string();
    assert!(text.contains("Ann") && !text.contains("Bob"), "{result}");
    server.end();
}

#[test]
fn what_one_client_asked_is_not_cancelled_by_another() {
    let (config, askers) = askers();
    let house = House::with(&config);
    let server = house.serve();
    let ann = agent(&server, askers[0].2.as_ref()).shaken_hands();
    let mut bob = agent(&server, askers[2].2.as_ref());
    // However he came to know it.
    bob.session.clone_from(&ann.session);
    let params = json!({
        "name": "script",
        "arguments": gated(),
        "_meta": {"progressToken": 1},
    });
    let mut stream = ann.begin(&Request::legacy("tools/call", &params));
    let progress = stream.event().expect("progress");
    assert_eq!(progress["params"]["message"], "at the gate", "{progress}");
    let cancelled = Request {
        headers: vec![("MCP-Protocol-Version".into(), "2025-11-25".into())],
        body: json!({
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": 1},
        }),
    };
    assert_eq!(bob.send(&cancelled).status, 202);
    house.open_gate();
    let answer = stream.event().expect("an answer");
    assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    server.end();
}

#[test]
fn a_key_is_taken_from_one_header_and_nowhere_else() {
    let (config, askers) = askers();
    let house = House::with(&config);
    let server = house.serve();
    let key = askers[0].2.clone().expect("a key");
    let discover = modern("server/discover", json!({}));
    let check = |headers: &[(&str, &str)], path: &str, status: u16| {
        let body = discover.body.to_string();
        let length = body.len().to_string();
        let said = discover.headers.iter();
        let mut all: Vec<_> = said.map(|(name, value)| (&**name, &**value)).collect();
        all.extend(headers);
        all.push(("Content-Length", &length));
        let mut wire = Wire::open(server.address);
        wire.send(crate::wire::head("POST", path, &all) + &body);
        assert_eq!(wire.incoming().status, status, "{headers:?} {path}");
    };
    let bearer = format!("Bearer {key}");
    check(&[("Authorization", &bearer)], "/mcp", 200);
    check(&[("authorization", &format!("bEARER {key}"))], "/mcp", 200);
    check(&[], &format!("/mcp?access_token={key}"), 401);
    check(&[("Authorization", &key)], "/mcp", 401);
    check(&[("Authorization", &format!("Basic {key}"))], "/mcp", 401);
    check(&[("Authorization", "Bearer ")], "/mcp", 401);
    check(&[("Cookie", &format!("key={key}"))], "/mcp", 401);
    let twice = [("Authorization", &*bearer), ("Authorization", &*bearer)];
    check(&twice, "/mcp", 401);
    server.end();
}

fn agent(server: &Server, key: Option<&String>) -> Agent {
    Agent::new(server.address, key.cloned())
}
