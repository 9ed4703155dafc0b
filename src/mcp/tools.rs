//! The list of tools.

use serde::Deserialize;
use serde_json::{Value, json};

use super::content::put;
use super::{Error, Server};
use crate::catalogue::Offer;
use crate::task::Policy;
use crate::tool::TaskSupport;

/// The tools on one page.
const PAGE: usize = 500;

#[derive(Deserialize)]
pub(super) struct Params {
    #[serde(default)]
    cursor: Option<String>,
}

impl Server {
    /// A page of the tools, in the order of their names.
    pub(super) fn list_tools(&self, params: Value, is_legacy: bool) -> Result<Value, Error> {
        let Params { cursor } = super::error::params(params)?;
        let catalogue = self.0.offers.now();
        let after = match &cursor {
            None => "",
            Some(cursor) => cursor.strip_prefix("after:").ok_or_else(|| {
                Error::invalid_params("params.cursor: it was not given by this server")
            })?,
        };
        let mut offers = catalogue.after(after);
        let mut last = None;
        let page = offers.by_ref().take(PAGE);
        let tools = page.inspect(|offer| last = Some(offer.name.clone()));
        let mut tools: Vec<_> = tools.map(|offer| tool(offer, is_legacy)).collect();
        let is_more = offers.next().is_some();
        if self.0.settings.task_tools && !is_more {
            tools.extend(super::task_tools::list());
        }
        let mut list = json!({"tools": tools});
        if let Some(last) = last.filter(|_| is_more) {
            put(&mut list, "nextCursor", json!(format!("after:{last}")));
        }
        Ok(list)
    }
}

fn tool(offer: &Offer, is_legacy: bool) -> Value {
    let definition = &offer.tool.definition;
    let mut tool = json!({
        "name": offer.name,
        "description": definition.description,
        "inputSchema": definition.input_schema,
    });
    if let Some(title) = &definition.title {
        put(&mut tool, "title", json!(title));
    }
    if let Some(schema) = &definition.output_schema {
        put(&mut tool, "outputSchema", schema.clone());
    }
    let hints = definition.annotations;
    let hints = [
        ("readOnlyHint", hints.read_only),
        ("destructiveHint", hints.destructive),
        ("idempotentHint", hints.idempotent),
        ("openWorldHint", hints.open_world),
    ];
    let mut annotations = json!({});
    for (name, hint) in hints {
        if let Some(hint) = hint {
            put(&mut annotations, name, json!(hint));
        }
    }
    if annotations != json!({}) {
        put(&mut tool, "annotations", annotations);
    }
    if let Some(meta @ Value::Object(_)) = &definition.meta {
        put(&mut tool, "_meta", meta.clone());
    }
    if is_legacy {
        let support = support(offer.policy).to_string();
        put(&mut tool, "execution", json!({"taskSupport": support}));
    }
    tool
}

/// What a policy is in the words of the older generation of tasks.
pub(super) fn support(policy: Policy) -> TaskSupport {
    match policy {
        Policy::Never => TaskSupport::Forbidden,
        Policy::Auto | Policy::Always => TaskSupport::Optional,
        Policy::Required => TaskSupport::Required,
    }
}
