//! A house with a server in it.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Client, Place};
use crate::house::{House, Ran, Running};

pub(crate) struct Served {
    pub(crate) house: House,
    pub(crate) server: Running,
    /// Asks by the port, without a key.
    pub(crate) client: Client,
}

/// What is served where nothing else is said.
const CONFIG: &str = r#"
listen = "127.0.0.1:0"
[http]
stream_keep_alive = "1s"
body_max = "64KiB"
[[components]]
path = "guest.wasm"
dirs = ["world:/world:rw"]
"#;

impl Served {
    pub(crate) fn new() -> Self {
        Self::in_house(House::new(), "")
    }

    /// With keys for these, each of a tenant, a subject and a role; and the keys.
    pub(crate) fn with_keys<const N: usize>(
        who: [(&str, &str, &str, &str); N],
    ) -> (Self, [String; N]) {
        let house = House::new();
        let mut config = String::new();
        let keys = who.map(|(tenant, subject, role, more)| {
            let words = ["keys", "new", "--tenant", tenant, "--subject", subject];
            let key = house.json(&[&words[..], &["--role", role]].concat());
            config.push_str(&format!("{}\n{more}\n", key["toml"].as_str().unwrap()));
            key["key"].as_str().unwrap().to_owned()
        });
        (Self::in_house(house, &config), keys)
    }

    fn in_house(house: House, more: &str) -> Self {
        let config = format!("{CONFIG}{more}");
        std::fs::write(house.path("stepwell.toml"), config).unwrap();
        Self::start(house)
    }

    pub(crate) fn start(house: House) -> Self {
        Self::start_in(house, "data")
    }

    pub(crate) fn start_in(house: House, data_dir: &str) -> Self {
        let words = ["serve", "--config", "stepwell.toml", "--data-dir", data_dir];
        let mut server = house.start(&words);
        let ready = server.until("ready");
        let (_, address) = ready.split_once("http://").unwrap();
        let address = address.strip_suffix("/mcp").unwrap().to_owned();
        let place = Place::Port(address);
        Self {
            house,
            server,
            client: Client { place, key: None },
        }
    }

    /// Asks by the socket.
    pub(crate) fn by_socket(&self) -> Client {
        Client {
            place: Place::Socket(self.house.path("data/socket")),
            key: None,
        }
    }

    /// The server's address, as a command takes it.
    pub(crate) fn url(&self) -> String {
        match &self.client.place {
            Place::Port(address) => format!("http://{address}"),
            Place::Socket(_) => panic!("it is no port"),
        }
    }

    /// Ends the server in order.
    pub(crate) fn end(self) -> (House, Ran) {
        self.server.signal(Signal::TERM);
        let ran = self.server.end();
        assert_eq!(ran.code, 0, "{ran:?}");
        (self.house, ran)
    }

    /// Ends the server as a crash would.
    pub(crate) fn crash(self) -> House {
        self.server.kill();
        self.house
    }
}

impl Client {
    /// Begins a script, and returns its task.
    pub(crate) fn script(&self, ops: &Value) -> String {
        let params = json!({"name": "script", "arguments": {"ops": ops, "on_stop": []}});
        let create = json!({"method": "tools/call", "params": params});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/create",
            "params": create});
        let kind = [("Content-Type", "application/json")];
        let answer = self.send("POST /mcp", &kind, &message.to_string());
        let task = answer.json()["result"]["taskId"].clone();
        task.as_str()
            .unwrap_or_else(|| panic!("{answer:?}"))
            .to_owned()
    }

    /// Looks at a task until its status is this.
    pub(crate) fn until(&self, task: &str, status: &str) -> Value {
        for _ in 0..6_000 {
            let task = self.get(&format!("/tasks/{task}")).json();
            if task["status"] == status {
                return task;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{task} is not {status}");
    }

    /// A task that asks `sure`, and then does a step `b`.
    pub(crate) fn asks(&self) -> String {
        let schema = json!({"type": "object", "properties": {"yes": {"type": "boolean"}}});
        let ask = json!({"name": "sure", "message": "Sure?", "schema": schema.to_string()});
        let ops = json!([{"step": {"name": "a"}}, {"ask": [ask]}, {"step": {"name": "b"}}]);
        let task = self.script(&ops);
        self.until(&task, "waiting_input");
        task
    }
}
