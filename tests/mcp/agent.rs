//! Agents that speak to a server in this process, without a transport.

use std::time::Duration;

use serde_json::{Value, json};
use stepwell::access::Access;
use stepwell::catalogue::{Catalogue, Offer, Offers};
use stepwell::config::Mcp;
use stepwell::id::{Digest, Principal, TaskKey, TenantId};
use stepwell::identity::{Caller, Role};
use stepwell::limit::Limits;
use stepwell::mcp::{Context, Error, Headers, Id, Server, Session, Stream};
use stepwell::runtime::Runtime;
use stepwell::store::Filter;
use stepwell::task::{Policy, Status};
use stepwell_guest_examples::CONFORMANCE;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::common::{House, within};

/// The name under which `script` is always a task.
pub(crate) const SCRIPT_TASK: &str = "script_task";

/// A house with a server in it.
pub(crate) struct Place {
    pub(crate) house: House,
    pub(crate) server: Server,
    pub(crate) offers: Offers,
}

/// One of the server's clients.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) server: Server,
    pub(crate) caller: Caller,
}

/// A request at work, and what is said about it before its answer.
pub(crate) struct Asked {
    pub(crate) messages: mpsc::Receiver<Value>,
    pub(crate) gone: CancellationToken,
    pub(crate) cancelled: CancellationToken,
    pub(crate) answer: tokio::task::JoinHandle<Result<Value, Error>>,
}

impl Place {
    /// With the test guest's `script`, and the conformance suite's tools.
    pub(crate) async fn new() -> Self {
        Self::with(Mcp::default()).await
    }

    pub(crate) async fn with(settings: Mcp) -> Self {
        Self::around(House::new().await, settings).await
    }

    pub(crate) async fn around(house: House, settings: Mcp) -> Self {
        let offers = Offers::new(Catalogue::new(offered(&house).await).expect("a catalogue"));
        let access = Access::new(house.runtime.clone());
        let server = Server::new(access, offers.clone(), [7; 32], settings);
        Self {
            house,
            server,
            offers,
        }
    }

    /// The agent of the tenant's administrator.
    pub(crate) fn agent(&self) -> Agent {
        self.agent_of(Caller::local())
    }

    pub(crate) fn agent_of(&self, caller: Caller) -> Agent {
        Agent {
            server: self.server.clone(),
            caller,
        }
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.house.runtime
    }

    /// The newest task of the local tenant, once it waits for its time.
    pub(crate) async fn waiting(&self) -> TaskKey {
        loop {
            let tenant = TenantId::local();
            let page = self
                .runtime()
                .list(&tenant, Filter::default(), None, 1)
                .await;
            let page = page.expect("a list");
            if let [record] = page.records.as_slice()
                && record.status() == Status::WaitingTimer
            {
                return record.key();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn offered(house: &House) -> Vec<Offer> {
    let conformance = house.runtime.add(CONFORMANCE.to_vec()).await;
    let conformance = conformance
        .expect("the suite's component")
        .manifest
        .component;
    let offer = async |component: Digest, name: &str, policy| Offer {
        name: name.into(),
        tool: house.runtime.tool(component, name).await.expect("the tool"),
        component,
        limits: Limits::default(),
        grants: house.request("script", json!({})).grants,
        policy,
        expected_duration: None,
        sla: None,
    };
    let always = Offer {
        name: SCRIPT_TASK.into(),
        ..offer(house.component, "script", Policy::Always).await
    };
    vec![
        always,
        offer(house.component, "script", Policy::Auto).await,
        offer(conformance, "greet", Policy::Never).await,
        offer(conformance, "failing_job", Policy::Required).await,
        offer(conformance, "slow_compute", Policy::Required).await,
        offer(conformance, "protocol_error_job", Policy::Auto).await,
        offer(conformance, "multi_input", Policy::Always).await,
        offer(conformance, "test_error_handling", Policy::Never).await,
        offer(conformance, "test_tool_with_progress", Policy::Never).await,
        offer(conformance, "test_missing_capability", Policy::Never).await,
        offer(conformance, "test_custom_header", Policy::Never).await,
    ]
}

/// Somebody of a tenant.
pub(crate) fn somebody(tenant: &str, subject: &str, role: Role) -> Caller {
    Caller {
        principal: Principal {
            tenant: TenantId::try_from(tenant.to_owned()).expect("a tenant"),
            issuer: "key".into(),
            subject: subject.into(),
            client: "test".into(),
        },
        role,
    }
}

/// The metadata of a modern request whose client can do this.
pub(crate) fn meta(capabilities: &Value) -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": capabilities,
    })
}

/// What a client can do that takes tasks and can be asked.
pub(crate) fn everything() -> Value {
    json!({"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}}})
}

/// Adds fields to an object.
pub(crate) fn with(mut object: Value, fields: Value) -> Value {
    if let (Value::Object(object), Value::Object(fields)) = (&mut object, fields) {
        object.extend(fields);
    }
    object
}

impl Agent {
    /// A modern request of a client that can do everything.
    pub(crate) async fn modern(&self, method: &str, params: Value) -> Result<Value, Error> {
        self.modern_as(&everything(), method, params).await
    }

    pub(crate) async fn modern_as(
        &self,
        capabilities: &Value,
        method: &str,
        params: Value,
    ) -> Result<Value, Error> {
        let params = with(params, json!({"_meta": meta(capabilities)}));
        self.ask(method, params).answer().await
    }

    /// A modern call of a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, Error> {
        let params = json!({"name": tool, "arguments": arguments});
        self.modern("tools/call", params).await
    }

    /// A legacy request, of a client that can be asked.
    pub(crate) async fn legacy(&self, method: &str, params: Value) -> Result<Value, Error> {
        self.ask(method, params).answer().await
    }

    /// A request, without waiting for its answer.
    pub(crate) fn ask(&self, method: &str, params: Value) -> Asked {
        self.ask_with(None, method, params)
    }

    pub(crate) fn ask_with(&self, headers: Option<Headers>, method: &str, params: Value) -> Asked {
        let (stream, messages) = Stream::new();
        let (gone, cancelled) = (CancellationToken::new(), CancellationToken::new());
        let context = Context {
            caller: self.caller.clone(),
            id: Id::Text("1".into()),
            headers,
            session: Some(Session::begin(
                &json!({"capabilities": {"elicitation": {}}}),
            )),
            is_connection: false,
            stream,
            gone: gone.clone(),
            cancelled: cancelled.clone(),
        };
        let (server, method) = (self.server.clone(), method.to_owned());
        let answer = tokio::spawn(async move { server.dispatch(&context, &method, params).await });
        Asked {
            messages,
            gone,
            cancelled,
            answer,
        }
    }

    /// A task of the caller's tenant, as the runtime knows it.
    pub(crate) fn key(&self, id: &str) -> TaskKey {
        let tenant = self.caller.principal.tenant.clone();
        let id = id.parse().expect("an id");
        TaskKey { tenant, id }
    }

    /// Looks at a task until it has ended.
    pub(crate) async fn end(&self, id: &str) -> Value {
        self.until(id, &["completed", "failed", "cancelled"]).await
    }

    /// Looks at a task until it is in one of these states. There is no event to wait for: this is
    /// how a client without a subscription does it.
    pub(crate) async fn until(&self, id: &str, statuses: &[&str]) -> Value {
        within(async {
            loop {
                let task = self.modern("tasks/get", json!({"taskId": id})).await;
                let task = task.expect("the task is there");
                if statuses.contains(&task["status"].as_str().expect("a status")) {
                    return task;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

impl Asked {
    pub(crate) async fn answer(self) -> Result<Value, Error> {
        within(self.answer)
            .await
            .expect("the request does not panic")
    }

    /// The next thing that is said.
    pub(crate) async fn message(&mut self) -> Value {
        within(self.messages.recv()).await.expect("a message")
    }
}

/// The text of a result.
pub(crate) fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().expect("a text")
}

/// The id of a task.
pub(crate) fn id_of(task: &Value) -> String {
    task["taskId"].as_str().expect("an id").to_owned()
}

/// A tool's own script: it reports, asks, and returns.
pub(crate) fn script(ops: Value) -> Value {
    json!({"ops": ops})
}
