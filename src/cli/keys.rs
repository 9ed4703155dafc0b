//! `stepwell keys`: keys for those who may ask.

use serde_json::{Value, json};

use super::{Context, Exit, error};
use crate::clock::Timestamp;
use crate::config::{Key, Role};
use crate::id::TenantId;
use crate::identity::Minted;

/// What is done about keys.
#[derive(clap::Subcommand, Debug)]
pub enum Keys {
    /// Make a key, and print it once
    New(New),
}

/// Makes a key. The key goes to standard output and is kept nowhere; the table for stepwell.toml,
/// which holds its digest, goes to standard error.
#[derive(clap::Args, Debug)]
pub struct New {
    /// The tenant that it speaks in
    #[arg(long)]
    tenant: String,
    /// Whom it speaks for: keys of the same subject own the same tasks
    #[arg(long)]
    subject: String,
    /// What it may do
    #[arg(long, default_value = "caller", value_parser = Role::ALL.map(|(word, _)| word))]
    role: String,
    /// What it is called, in the log and the audit; by default something random
    #[arg(long)]
    id: Option<String>,
    /// When it is refused from, like 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires: Option<Timestamp>,
}

impl Keys {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::New(new) => new.run(context),
        }
    }
}

impl New {
    fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let tenant = TenantId::try_from(self.tenant.clone())
            .map_err(|error| error::input(format!("--tenant: {error}"), "for example acme"))?;
        if !Key::is_subject(&self.subject) {
            let message = format!("--subject: it must be {}", Key::SUBJECT_RULE);
            return Err(error::input(message, "for example ann@acme.example"));
        }
        let minted = match &self.id {
            Some(id) if !Key::is_id(id) => {
                let message = format!("--id: it must be {}", Key::ID_RULE);
                return Err(error::input(message, "for example ci-2027"));
            }
            Some(id) => Minted::new(id)?,
            None => Minted::with_any_id()?,
        };
        let table = self.table(&tenant, &minted);
        let screen = &context.screen;
        if screen.json {
            screen.value(&self.json(&tenant, &minted, &table))?;
            return Ok(Exit::Done);
        }
        // Also where all is to be quiet: without it the key is worth nothing.
        screen.warn(&format!("# For stepwell.toml:\n{table}"));
        screen.data(minted.key.expose())?;
        Ok(Exit::Done)
    }

    fn table(&self, tenant: &TenantId, minted: &Minted) -> String {
        let mut lines = vec![
            "[[keys]]".to_owned(),
            format!("id = \"{}\"", minted.id),
            format!("digest = \"sha256:{}\"", minted.digest),
            format!("tenant = \"{tenant}\""),
            format!("subject = {}", quoted(&self.subject)),
            format!("role = \"{}\"", self.role),
        ];
        lines.extend(self.expires.map(|time| format!("expires = {time}")));
        lines.join("\n")
    }

    fn json(&self, tenant: &TenantId, minted: &Minted, table: &str) -> Value {
        json!({
            "key": minted.key.expose(),
            "id": minted.id,
            "digest": format!("sha256:{}", minted.digest),
            "tenant": tenant,
            "subject": self.subject,
            "role": self.role,
            "expires": self.expires.map(|time| time.to_string()),
            "toml": table,
        })
    }
}

/// A text without control characters, as TOML has it.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}
