//! The configuration is read again: other tools, other keys, and what was begun goes on as it was.

use rustix::process::Signal;
use serde_json::{Value, json};
use stepwell::identity::Minted;
use stepwell_guest_examples::{CONFORMANCE, NOTIFY};

use crate::agent::{Agent, Request, everything};
use crate::house::{GUEST, House, Server, gated};

impl Server {
    /// Has it read this configuration; what it says of that.
    fn reload(&mut self, house: &House, config: &str) -> String {
        house.configure(config);
        self.process.signal(Signal::HUP);
        self.process.until("the configuration ")
    }
}

fn names(agent: &Agent) -> Vec<String> {
    let list = agent.modern("tools/list", json!({})).expect("a list");
    let tools = list["tools"].as_array().expect("tools").iter();
    tools
        .map(|tool| tool["name"].as_str().expect("a name").to_owned())
        .collect()
}

fn listen(notifications: &Value) -> Request {
    let params = json!({"notifications": notifications});
    Request::modern(&everything(), "subscriptions/listen", params)
}

#[test]
fn a_list_is_told_to_have_changed_only_where_it_has() {
    let house = House::new();
    let mut server = house.serve();
    let agent = server.agent();
    let mut tools = agent.begin(&listen(&json!({"toolsListChanged": true})));
    let mut nothing = agent.begin(&listen(&json!({})));
    for stream in [&mut tools, &mut nothing] {
        assert!(stream.event().is_some());
    }
    let before = names(&agent);
    let said = server.reload(&house, GUEST);
    assert!(said.contains("is read again"), "{said}");
    // Other limits are no other list.
    let limits = "[components.limits]\nfuel = \"50G\"\n";
    server.reload(&house, &[GUEST, limits].concat());
    let renamed = "[components.tools.echo]\nname = \"repeat\"\n";
    server.reload(&house, &[GUEST, renamed].concat());
    let told = tools.event().expect("the news");
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    let meta = &told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"];
    assert_eq!(meta, "m");
    let after = names(&agent);
    assert_ne!(before, after);
    assert!(after.contains(&"repeat".to_owned()) && !after.contains(&"echo".to_owned()));
    // What is sent next is the end: there were no more news.
    server.process.signal(Signal::TERM);
    for stream in [&mut tools, &mut nothing] {
        let last = stream.event().expect("the last answer");
        assert!(last["result"].is_object(), "{last}");
    }
    assert_eq!(server.process.ended().code, 0);
}

#[test]
fn components_come_go_and_are_replaced() {
    let house = House::new();
    house.put("notify.wasm", NOTIFY);
    let mut server = house.serve();
    let agent = server.agent();
    let at_work = agent.task(&gated());
    agent.at_the_gate(&at_work);
    let notify = "[[components]]\npath = \"notify.wasm\"\n";
    server.reload(&house, &[GUEST, notify].concat());
    let both = names(&agent);
    assert!(both.iter().any(|name| name.contains("notify")), "{both:?}");
    assert!(both.contains(&"script".to_owned()));
    // The file that the task came from is another component now, and its tool is not offered.
    house.put("guest.wasm", CONFORMANCE);
    server.reload(&house, GUEST);
    let replaced = names(&agent);
    assert!(!replaced.contains(&"script".to_owned()), "{replaced:?}");
    assert!(replaced.contains(&"greet".to_owned()), "{replaced:?}");
    let call = json!({"name": "script", "arguments": {"ops": []}});
    let error = agent.modern("tools/call", call).unwrap_err();
    assert_eq!(error["code"], json!(-32_602), "{error}");
    // The task goes on with the component that it was accepted with, even after a restart.
    server.kill();
    house.open_gate();
    let server = house.serve();
    let agent = agent.at(server.address);
    let task = agent.completed(&at_work);
    assert_eq!(task["result"]["isError"], json!(false), "{task}");
    assert_eq!(house.effects(), ["before", "after"]);
    server.end();
}

#[test]
fn a_configuration_that_is_wrong_changes_nothing() {
    let house = House::new();
    let mut server = house.serve();
    let agent = server.agent();
    let before = names(&agent);
    let mut tools = agent.begin(&listen(&json!({"toolsListChanged": true})));
    assert!(tools.event().is_some());
    let stays = "the configuration stays as it was";
    for (wrong, word) in [
        ("[[components", "stepwell.toml"),
        ("unknown = 1\n", "unknown"),
        ("[[components]]\npath = \"none.wasm\"\n", "none.wasm"),
        (
            "[[components]]\npath = \"stepwell.toml\"\n",
            "stepwell.toml",
        ),
        (&[GUEST, GUEST].concat(), "would be served as `echo`"),
        ("listen = \"0.0.0.0:0\"\nunknown = 1", "unknown"),
    ] {
        let said = server.reload(&house, wrong);
        assert!(said.contains(stays), "{wrong}: {said}");
        // The words may have several lines.
        if !said.contains(word) {
            server.process.until(word);
        }
        assert_eq!(names(&agent), before, "{wrong}");
    }
    std::fs::remove_file(house.path("stepwell.toml")).unwrap();
    server.process.signal(Signal::HUP);
    let said = server.process.until("the configuration ");
    assert!(said.contains(stays), "{said}");
    assert_eq!(names(&agent), before);
    // It can be mended while the server is at work; that is the first news.
    let said = server.reload(&house, "");
    assert!(said.contains("is read again"), "{said}");
    assert!(tools.event().is_some());
    assert!(names(&agent).is_empty());
    server.end();
}

#[test]
fn keys_are_replaced_and_their_subject_keeps_its_tasks() {
    let (old, new) = (Minted::new("old").unwrap(), Minted::new("new").unwrap());
    let key = |minted: &Minted, more: &str| {
        let (id, digest) = (&minted.id, minted.digest);
        let who = "tenant = \"acme\"\nsubject = \"ann\"";
        format!("[[keys]]\nid = \"{id}\"\ndigest = \"sha256:{digest}\"\n{who}\n{more}\n")
    };
    let house = House::with(&[GUEST, &key(&old, "")].concat());
    let mut server = house.serve();
    let agent = |minted: &Minted| Agent::new(server.address, Some(minted.key.expose().into()));
    let (by_old, by_new) = (agent(&old), agent(&new));
    let discover = Request::modern(&everything(), "server/discover", json!({}));
    assert_eq!(by_new.send(&discover).status, 401);
    let id = by_old.task(&json!({"ops": []}));
    server.reload(&house, &[GUEST, &key(&old, ""), &key(&new, "")].concat());
    by_new.completed(&id);
    by_old.completed(&id);
    server.reload(
        &house,
        &[GUEST, &key(&old, "revoked = true"), &key(&new, "")].concat(),
    );
    assert_eq!(by_old.send(&discover).status, 401);
    by_new.completed(&id);
    server.reload(&house, &[GUEST, &key(&new, "")].concat());
    assert_eq!(by_old.send(&discover).status, 401);
    by_new.completed(&id);
    server.end();
}
