//! Tools that answer at once, with all kinds of content.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::contract::stepwell::tool::types::{Blob, Content, Embedded, ResourceBody, TaskSupport};
use crate::contract::stepwell::tool::{log, progress};
use crate::{Output, Tool, failed, nothing, object, output, text, text_of};

/// A red pixel.
const PIXEL: &[u8] = include_bytes!("pixel.png");

/// Half a millisecond of nothing.
const SILENCE: &[u8] = include_bytes!("silence.wav");

/// The suite wants every report, and the runtime merges those within 100 ms.
const BETWEEN_REPORTS: Duration = Duration::from_millis(150);

/// A file that asks whoever looks after the server to change its tools. A tool can't do that.
const PLEASE_CHANGE: &str = "/signal/change";

pub(crate) const TOOLS: [Tool; 12] = [
    Tool {
        name: "test_simple_text",
        description: "Returns a text.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| Ok(text("This is a simple text response for testing.")),
    },
    Tool {
        name: "test_image_content",
        description: "Returns an image.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| Ok(output(vec![pixel()])),
    },
    Tool {
        name: "test_audio_content",
        description: "Returns a sound.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| Ok(output(vec![silence()])),
    },
    Tool {
        name: "test_embedded_resource",
        description: "Returns a resource.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| {
            let body = "This is an embedded resource content.";
            let resource = resource("test://embedded-resource", "text/plain", body);
            Ok(output(vec![resource]))
        },
    },
    Tool {
        name: "test_multiple_content_types",
        description: "Returns a text, an image and a resource.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| {
            let uri = "test://mixed-content-resource";
            let body = r#"{"test":"data","value":123}"#;
            Ok(output(vec![
                Content::Text("Multiple content types test:".to_owned()),
                pixel(),
                resource(uri, "application/json", body),
            ]))
        },
    },
    Tool {
        name: "test_error_handling",
        description: "Fails.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| {
            Err(failed(
                "This tool intentionally returns an error for testing",
            ))
        },
    },
    Tool {
        name: "test_tool_with_progress",
        description: "Reports three times how far it is.",
        task: TaskSupport::Optional,
        takes: nothing,
        run: |_| Ok(with_progress()),
    },
    Tool {
        name: "test_logging_tool",
        description: "Writes to its log.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| {
            log::write(log::Level::Info, "Tool execution started");
            log::write(log::Level::Warning, "Tool execution completed");
            Ok(text("Logging test completed"))
        },
    },
    Tool {
        name: "test_missing_capability",
        description: "Is for clients that can sample.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| Ok(text("The client can sample.")),
    },
    Tool {
        name: "test_custom_header",
        description: "Takes an argument that a client sends as a header too.",
        task: TaskSupport::Forbidden,
        takes: || object(json!({"region": {"type": "string", "x-mcp-header": "Region"}})),
        run: |arguments| {
            let region = text_of(arguments, "region")?;
            Ok(text(format!("Region: {region}")))
        },
    },
    Tool {
        name: "json_schema_2020_12_tool",
        description: "Tool with JSON Schema 2020-12 features",
        task: TaskSupport::Forbidden,
        takes: schema_2020_12,
        run: |arguments| Ok(text(format!("Called with {arguments}"))),
    },
    Tool {
        name: "test_trigger_tool_change",
        description: "Asks for other tools to be served.",
        task: TaskSupport::Forbidden,
        takes: nothing,
        run: |_| match fs::write(PLEASE_CHANGE, "") {
            Ok(()) => Ok(text("Other tools will be served.")),
            Err(error) => Err(failed(format!("{PLEASE_CHANGE}: {error}"))),
        },
    },
];

fn pixel() -> Content {
    Content::Image(Blob {
        data: PIXEL.to_vec(),
        mime_type: "image/png".to_owned(),
    })
}

fn silence() -> Content {
    Content::Audio(Blob {
        data: SILENCE.to_vec(),
        mime_type: "audio/wav".to_owned(),
    })
}

fn resource(uri: &str, mime_type: &str, body: &str) -> Content {
    Content::Embedded(Embedded {
        uri: uri.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        body: ResourceBody::Text(body.to_owned()),
    })
}

fn with_progress() -> Output {
    progress::report(0.0, Some(100.0), "begun");
    thread::sleep(BETWEEN_REPORTS);
    progress::report(50.0, Some(100.0), "half of it");
    thread::sleep(BETWEEN_REPORTS);
    progress::report(100.0, Some(100.0), "all of it");
    text("Tool with progress executed successfully")
}

/// The keywords that a server must hand on as they are.
fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            },
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}
