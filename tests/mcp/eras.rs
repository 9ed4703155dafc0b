//! What is the same for every request: its era, its envelope, its headers, its errors.

use serde_json::{Value, json};
use stepwell::mcp::{Error, Headers, Kind};

use crate::agent::{Place, everything, meta, text, with};

fn kind(answer: Result<Value, Error>) -> Kind {
    answer.expect_err("it is refused").kind
}

#[tokio::test]
async fn a_modern_request_says_everything_itself() {
    let place = Place::new().await;
    let agent = place.agent();
    let found = agent.modern("server/discover", json!({})).await.unwrap();
    assert_eq!(found["resultType"], "complete");
    assert_eq!(
        found["capabilities"]["extensions"]["io.modelcontextprotocol/tasks"],
        json!({})
    );
    assert!(found["capabilities"].get("tasks").is_none());
    let versions = found["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!("2026-07-28")) && versions.contains(&json!("2025-11-25")));
    assert_eq!(
        found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"],
        "stepwell"
    );

    let modern = Headers {
        version: Some("2026-07-28".into()),
        method: Some("server/discover".into()),
        ..Headers::default()
    };
    let discover = async |headers: &Headers, meta: Value| {
        let params = json!({"_meta": meta});
        agent
            .ask_with(Some(headers.clone()), "server/discover", params)
            .answer()
            .await
    };
    assert!(discover(&modern, meta(&everything())).await.is_ok());
    // Nothing, or not all, of what it must say.
    assert_eq!(kind(discover(&modern, json!({})).await), Kind::Envelope);
    let mut partial = meta(&everything());
    partial
        .as_object_mut()
        .unwrap()
        .remove("io.modelcontextprotocol/clientCapabilities");
    assert_eq!(kind(discover(&modern, partial).await), Kind::Envelope);
    // A header that says something else.
    let other = with(
        meta(&json!({})),
        json!({"io.modelcontextprotocol/protocolVersion": "v9"}),
    );
    assert_eq!(
        kind(discover(&modern, other.clone()).await),
        Kind::HeaderMismatch
    );
    let silent = Headers::default();
    assert_eq!(
        kind(discover(&silent, meta(&json!({}))).await),
        Kind::HeaderMismatch
    );
    let wrong = Headers {
        method: Some("tools/list".into()),
        ..modern.clone()
    };
    assert_eq!(
        kind(discover(&wrong, meta(&json!({}))).await),
        Kind::HeaderMismatch
    );
    // A version that nobody speaks.
    let unknown = Headers {
        version: Some("v9".into()),
        ..modern
    };
    let error = discover(&unknown, other).await.unwrap_err();
    assert_eq!(error.kind, Kind::UnsupportedVersion);
    assert_eq!(error.data.unwrap()["requested"], "v9");
}

#[tokio::test]
async fn a_legacy_handshake_agrees_on_a_version() {
    let place = Place::new().await;
    let agent = place.agent();
    for (asked, agreed) in [
        ("2025-11-25", "2025-11-25"),
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
    ] {
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": {}});
        let agreement = agent.legacy("initialize", params).await.unwrap();
        assert_eq!(agreement["protocolVersion"], agreed);
        let has_tasks = agreement["capabilities"].get("tasks").is_some();
        assert_eq!(has_tasks, agreed == "2025-11-25", "{asked}");
    }
    assert_eq!(agent.legacy("ping", json!({})).await.unwrap(), json!({}));
}

#[tokio::test]
async fn each_era_has_only_its_own_methods() {
    let place = Place::new().await;
    let agent = place.agent();
    for method in [
        "initialize",
        "ping",
        "tasks/result",
        "tasks/list",
        "prompts/list",
        "x",
    ] {
        assert_eq!(
            kind(agent.modern(method, json!({})).await),
            Kind::MethodNotFound,
            "{method}"
        );
    }
    for method in [
        "server/discover",
        "tasks/update",
        "subscriptions/listen",
        "logging/setLevel",
    ] {
        assert_eq!(
            kind(agent.legacy(method, json!({})).await),
            Kind::MethodNotFound,
            "{method}"
        );
    }
}

#[tokio::test]
async fn wrong_parameters_are_told_with_their_path() {
    let place = Place::new().await;
    let agent = place.agent();
    let check = async |method: &str, params: Value, path: &str| {
        for answer in [
            agent.modern(method, params.clone()).await,
            agent.legacy(method, params.clone()).await,
        ] {
            let error = answer.expect_err("it is refused");
            assert_eq!(error.code(), -32_602, "{error:?}");
            assert!(error.message.starts_with(path), "{path}: {}", error.message);
        }
    };
    check(
        "tools/call",
        json!({"arguments": {}}),
        "params: missing field `name`",
    )
    .await;
    check(
        "tools/call",
        json!({"name": "greet", "arguments": [1]}),
        "params.arguments",
    )
    .await;
    check("tools/call", json!({"name": 7}), "params.name").await;
    check("tools/call", json!({"name": "no_such_tool"}), "params.name").await;
    check("tools/list", json!({"cursor": "x"}), "params.cursor").await;
    check("tasks/get", json!({"taskId": {}}), "params.taskId").await;
    check(
        "tasks/get",
        json!({"taskId": "nope"}),
        "there is no task `nope`",
    )
    .await;
    check("tasks/create", json!({"method": "x/y"}), "params.method").await;
    check(
        "tasks/create",
        json!({"method": "tools/call", "params": {"name": 7}}),
        "params.params.name",
    )
    .await;
}

#[tokio::test]
async fn tools_are_listed_in_one_order_in_both_eras() {
    let place = Place::new().await;
    let agent = place.agent();
    let modern = agent.modern("tools/list", json!({})).await.unwrap();
    let legacy = agent.legacy("tools/list", json!({})).await.unwrap();
    let names = |list: &Value| -> Vec<String> {
        let tools = list["tools"].as_array().unwrap().iter();
        tools
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut sorted = names(&modern);
    sorted.sort();
    assert_eq!(names(&modern), sorted);
    assert_eq!(names(&legacy), sorted);
    assert_eq!(modern["cacheScope"], "private");
    let of = |list: &Value, name: &str| {
        let tools = list["tools"].as_array().unwrap().iter();
        tools
            .clone()
            .find(|tool| tool["name"] == name)
            .unwrap()
            .clone()
    };
    assert!(of(&modern, "greet").get("execution").is_none());
    let support = |name| of(&legacy, name)["execution"]["taskSupport"].clone();
    assert_eq!(support("greet"), "forbidden");
    assert_eq!(support("script"), "optional");
    assert_eq!(support("failing_job"), "required");
}

#[tokio::test]
async fn a_call_is_held_to_what_its_headers_say() {
    let place = Place::new().await;
    let agent = place.agent();
    let check = async |name: Option<&str>, region: Option<&str>, is_fine: bool| {
        let params = region.map(|region| ("region".to_owned(), region.to_owned()));
        let headers = Headers {
            version: Some("2026-07-28".into()),
            method: Some("tools/call".into()),
            name: name.map(str::to_owned),
            session: None,
            params: params.into_iter().collect(),
        };
        let call = json!({
            "name": "test_custom_header",
            "arguments": {"region": "north"},
            "_meta": meta(&everything()),
        });
        let answer = agent
            .ask_with(Some(headers), "tools/call", call)
            .answer()
            .await;
        match answer {
            Ok(_) => assert!(is_fine, "{name:?} {region:?}"),
            Err(error) => {
                assert!(!is_fine, "{name:?} {region:?} {error:?}");
                assert_eq!(error.kind, Kind::HeaderMismatch);
            }
        }
    };
    check(Some("test_custom_header"), Some("north"), true).await;
    check(Some("greet"), Some("north"), false).await;
    check(None, Some("north"), false).await;
    check(Some("test_custom_header"), Some("south"), false).await;
    check(Some("test_custom_header"), None, false).await;
}

#[tokio::test]
async fn a_call_of_which_nothing_is_kept_is_answered_in_both_eras() {
    let place = Place::new().await;
    let agent = place.agent();
    let params = json!({"name": "greet", "arguments": {"name": "Ada"}});
    for answer in [
        agent.modern("tools/call", params.clone()).await,
        agent.legacy("tools/call", params).await,
    ] {
        let result = answer.unwrap();
        assert_eq!(text(&result), "Hello, Ada!");
        assert_eq!(result["isError"], false);
    }
    // The tool's own words, and those on arguments that do not fit, are results.
    let failed = agent.call("test_error_handling", json!({})).await.unwrap();
    assert_eq!(failed["isError"], true);
    assert!(text(&failed).contains("intentionally"), "{failed}");
    let misfit = agent.call("greet", json!({"name": 7})).await.unwrap();
    assert_eq!(misfit["isError"], true);
    assert!(text(&misfit).contains("/name"), "{misfit}");
}

#[tokio::test]
async fn progress_is_told_by_the_request_s_token() {
    let place = Place::new().await;
    let agent = place.agent();
    let call = json!({"name": "test_tool_with_progress", "_meta": {"progressToken": "p"}});
    let mut asked = agent.ask("tools/call", call);
    let mut told = Vec::new();
    while let Some(message) = asked.messages.recv().await {
        assert_eq!(message["method"], "notifications/progress");
        assert_eq!(message["params"]["progressToken"], "p");
        told.push(message["params"]["progress"].as_f64().unwrap());
    }
    assert_eq!(told, [0.0, 50.0, 100.0]);
    asked.answer().await.unwrap();
}

#[tokio::test]
async fn a_tool_says_what_its_client_must_be_able_to_do() {
    let place = Place::new().await;
    let agent = place.agent();
    let params = json!({"name": "test_missing_capability"});
    let error = agent
        .modern("tools/call", params.clone())
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::MissingCapability);
    assert_eq!(
        error.data.unwrap()["requiredCapabilities"],
        json!({"sampling": {}})
    );
    let able = json!({"sampling": {}});
    assert!(agent.modern_as(&able, "tools/call", params).await.is_ok());
}
