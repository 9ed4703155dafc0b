//! `stepwell client-config`: what to write into a host's configuration so that it finds this server.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Context, Exit, error};

/// Prints the entry for the configuration of an MCP host (Claude, Cursor, VS Code and others): how
/// it starts this server, or where it finds one that runs.
#[derive(clap::Args, Debug)]
pub struct ClientConfig {
    /// The name of the server in the host
    #[arg(long, default_value = "stepwell", value_name = "NAME")]
    name: String,
    /// The host that it is for: VS Code has another word for the same
    #[arg(long, value_enum, default_value_t = Client::Usual)]
    client: Client,
    /// A server that runs, like `http://127.0.0.1:7357/mcp`; without it the host starts one of its own
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The server wants a key: an `Authorization` header to put yours in
    #[arg(long, requires = "url")]
    with_key: bool,
    /// The configuration of the server that the host starts
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
    /// A component for the server that the host starts
    #[arg(long = "tool", value_name = "COMPONENT", conflicts_with = "url")]
    tools: Vec<PathBuf>,
}

/// Hosts by the form of their configuration.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Client {
    /// `mcpServers`: Claude, Cursor and most others
    Usual,
    /// `servers`: `.vscode/mcp.json`
    Vscode,
}

impl ClientConfig {
    pub(super) fn run(self, context: &Context) -> anyhow::Result<Exit> {
        let entry = match &self.url {
            Some(url) => self.remote(url),
            None => self.own(context)?,
        };
        let servers = match self.client {
            Client::Usual => "mcpServers",
            Client::Vscode => "servers",
        };
        let config = json!({servers: {&self.name: entry}});
        context.screen.data(&format!("{config:#}"))?;
        Ok(Exit::Done)
    }

    fn remote(&self, url: &str) -> Value {
        if self.with_key {
            let headers = json!({"Authorization": "Bearer sw_YOUR_KEY"});
            return json!({"type": "http", "url": url, "headers": headers});
        }
        json!({"type": "http", "url": url})
    }

    /// A server that the host starts: by whole paths, since nobody knows where a host starts it.
    fn own(&self, context: &Context) -> anyhow::Result<Value> {
        let command = std::env::current_exe();
        let command = command.map_err(|error| {
            error::input(error.to_string(), "write the path of `stepwell` yourself")
        })?;
        let mut args = vec!["serve".to_owned(), "--stdio".to_owned()];
        let files = self.config.iter().map(|file| ("--config", file));
        let files = files.chain(self.tools.iter().map(|file| ("--tool", file)));
        for (option, file) in files {
            let whole = std::path::absolute(file)?;
            args.extend([option.to_owned(), whole.to_string_lossy().into_owned()]);
        }
        if let Some(dir) = context.global.typed() {
            let whole = std::path::absolute(dir)?;
            args.extend([
                "--data-dir".to_owned(),
                whole.to_string_lossy().into_owned(),
            ]);
        }
        Ok(json!({"command": command.to_string_lossy(), "args": args}))
    }
}
