//! The configuration: `stepwell.toml`, as it was typed, made into what is meant.
//!
//! Each section is a file of its own, in which a key is read with its name, its default and its
//! bounds in one place. What was typed is kept as spans of the text until it is understood, so
//! that whatever is wrong is told with its line, its key and what is allowed there; all of it at
//! once. This module knows nothing of what is done with the settings; `docs/stepwell.toml` shows
//! all of them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::limit::Limits;
pub use crate::task::Policy;

mod component;
mod dir;
mod error;
mod http;
mod key;
mod limits;
mod mcp;
mod runtime;
mod served;
mod source;
mod table;
mod tenant;
mod value;

pub use component::{Component, Tool};
pub use dir::{Dir, InvalidDir};
pub use error::{Error, Place, Problem};
pub use http::Http;
pub use key::{Key, Role};
pub use mcp::Mcp;
pub use runtime::Runtime;
pub use tenant::{Tenant, Tenants};

use source::Source;
use table::Table;

/// Where Stepwell listens where nobody says otherwise.
pub const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7357);

/// The most bytes of a configuration file.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// What is configured. The default is what an empty file means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Where HTTP is served. Without keys it is a loopback address.
    pub listen: SocketAddr,
    /// Where everything durable is kept; where nothing is said, the command line decides.
    pub data_dir: Option<PathBuf>,
    /// How HTTP is served.
    pub http: Http,
    /// How calls are answered.
    pub mcp: Mcp,
    /// What the process may hold.
    pub runtime: Runtime,
    /// What a task may use, where its component and its tool say nothing.
    pub limits: Limits,
    /// What each tenant gets.
    pub tenants: Tenants,
    /// Who may ask.
    pub keys: Vec<Key>,
    /// What is served.
    pub components: Vec<Component>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: LISTEN,
            data_dir: None,
            http: Http::default(),
            mcp: Mcp::default(),
            runtime: Runtime::default(),
            limits: Limits::default(),
            tenants: Tenants::default(),
            keys: Vec::new(),
            components: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a file. Relative paths in it are relative to its folder. The components that it names
    /// are not looked at: see [`Component::read`].
    pub fn load(file: &Path) -> Result<Self, Error> {
        let text = error::read(file, FILE_BYTES_MAX)
            .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".into()))
            .map_err(|what| Error::unreadable(file, &what))?;
        Self::parse(&text, file)
    }

    /// What `text` means as the content of `file`, which is not read.
    pub fn parse(text: &str, file: &Path) -> Result<Self, Error> {
        let source = Source::new(text, file);
        let config = source.read(|root| Self::section(root, &source));
        source.end(config)
    }

    fn section(root: &mut Table<'_>, source: &Source<'_>) -> Self {
        let listen = root.read("listen", value::address);
        let listen_at = root.place("listen");
        let data_dir = root.read("data_dir", |value| value::path(value, source.folder()));
        let http = root.table("http", Http::section);
        let mcp = root.table("mcp", Mcp::section);
        let runtime = root.table("runtime", Runtime::section);
        let limits = root.table("limits", |table| limits::section(table, &runtime));
        let tenants = Tenants::section(root);
        let keys = key::section(root);
        let components = component::section(root, &limits, &runtime);
        let config = Self {
            listen: listen.unwrap_or(LISTEN),
            data_dir,
            http,
            mcp,
            runtime,
            limits,
            tenants,
            keys,
            components,
        };
        // Keys that are written down, but not rightly, are told of already.
        if (source.is_right() || !root.has("keys"))
            && let Some(message) = config.exposed()
        {
            source.wrong(listen_at, message);
        }
        config
    }

    /// Refuses to be reached from other machines where there are no keys: for an address that does
    /// not come from the file.
    pub fn check_listen(&self) -> Result<(), Error> {
        let place = Place {
            file: PathBuf::new(),
            line: 0,
            key: "listen".into(),
        };
        self.exposed()
            .map_or(Ok(()), |message| Err(Error::at(place, message)))
    }

    fn exposed(&self) -> Option<String> {
        let is_exposed = self.keys.is_empty() && !self.listen.ip().is_loopback();
        is_exposed.then(|| {
            format!(
                "{} can be reached from other machines, and there are no keys: write a loopback \
                 address like {LISTEN}, or add keys with `stepwell keys new`",
                self.listen
            )
        })
    }
}
