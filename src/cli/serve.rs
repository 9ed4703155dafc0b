//! `stepwell serve`: what is typed for it. What it does is wired in `app`.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Serves tools to agents over MCP, until it is asked to end
#[derive(clap::Args, Debug)]
pub struct Serve {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A component whose tools are served, beside those of the configuration
    #[arg(long = "tool", value_name = "COMPONENT")]
    pub tools: Vec<PathBuf>,
    /// Serve the process that started this one, over standard input and output
    #[arg(long)]
    pub stdio: bool,
}
