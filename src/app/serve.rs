//! `stepwell serve`: the runtime, the protocol over it, and the transports, from start to end.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::offers;
use crate::access::Access;
use crate::audit::Who;
use crate::catalogue::Offers;
use crate::cli::{self, Exit, Global, Serve, Signal, Signals};
use crate::config::{Component, Config, Tenant};
use crate::http::{Authority, Front, Name, Socket};
use crate::identity::{Caller, Keys};
use crate::mcp::Server;
use crate::runtime::{Error, Options, Runtime, Share, Tenants};
use crate::stdio;

/// How long guests have to come to a boundary, and streams to end, when the process is to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the results of the last guests may take to be read and sent.
const LAST_RESULTS: Duration = Duration::from_millis(500);

/// How long the last answers of all may take to be sent: a client that does not read is not waited
/// for.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is served, and what of it can change while it is.
struct House {
    runtime: Runtime,
    server: Server,
    offers: Offers,
    authority: Authority,
    config: Config,
    typed: Serve,
}

/// Serves until it is asked to end, or can't go on.
pub(super) async fn serve(
    global: &Global,
    typed: Serve,
    mut signals: Signals,
) -> anyhow::Result<Exit> {
    let config = config(&typed)?;
    raise_files_max();
    let runtime = Runtime::start(options(place(global, &config)?, &config)).await?;
    let house = match House::open(runtime.clone(), config, typed).await {
        Ok(house) => house,
        Err(error) => {
            runtime.drain(Duration::ZERO).await;
            return Err(error);
        }
    };
    let (exit, serving) = house.serve(&mut signals).await;
    tracing::info!("ending");
    let ending = async {
        runtime.halt(PATIENCE).await;
        let mut serving = serving.filter(|serving| !serving.is_finished());
        // Whoever has waited for a call that has ended is told what came of it,
        answered(&mut serving, LAST_RESULTS).await;
        runtime.close().await;
        // and whoever waits for one that is left is told that.
        answered(&mut serving, LAST_WORDS).await;
    };
    // A second wish to end is granted at once.
    tokio::select! {
        () = ending => {}
        () = again(&mut signals) => runtime.abandon().await,
    }
    exit
}

/// Waits until all answers are sent, but no longer than `patience`.
async fn answered(serving: &mut Option<JoinHandle<()>>, patience: Duration) {
    if let Some(still) = serving
        && tokio::time::timeout(patience, still).await.is_ok()
    {
        *serving = None;
    }
}

/// Returns when somebody wants an end again.
async fn again(signals: &mut Signals) {
    while signals.next().await == Signal::Reload {}
}

/// What is typed goes before what is in the file.
fn config(typed: &Serve) -> anyhow::Result<Config> {
    let config = typed.config.as_deref().map(Config::load).transpose();
    let mut config = config
        .map_err(|error| cli::bad(error.into()))?
        .unwrap_or_default();
    if let Some(listen) = typed.listen {
        config.listen = listen;
        config
            .check_listen()
            .map_err(|error| cli::bad(error.into()))?;
    }
    let tools = typed.tools.iter();
    let limits = config.limits.clone();
    let tools = tools.map(|path| Component::plain(path.clone(), limits.clone()));
    config.components.extend(tools);
    Ok(config)
}

fn place(global: &Global, config: &Config) -> anyhow::Result<PathBuf> {
    match (global.typed(), &config.data_dir) {
        (None, Some(configured)) => Ok(configured.clone()),
        _ => global.place(),
    }
}

fn options(data_dir: PathBuf, config: &Config) -> Options {
    let usual = Options::new(data_dir);
    let runtime = &config.runtime;
    let special = config.tenants.special.iter();
    Options {
        running_max: runtime.running_max,
        queued_max: runtime.queued_max,
        memory_max: runtime.memory_max.unwrap_or(usual.memory_max),
        guest_threads: runtime.guest_threads.unwrap_or(usual.guest_threads),
        grace_max: runtime.grace_max,
        tenants: Tenants {
            usual: share(&config.tenants.usual),
            special: special
                .map(|(name, tenant)| (name.clone(), share(tenant)))
                .collect(),
        },
        ..usual
    }
}

fn share(tenant: &Tenant) -> Share {
    Share {
        weight: tenant.weight,
        running_max: tenant.running_max,
        queued_max: tenant.queued_max,
        memory_max: tenant.memory_max,
        fuel_per_day: tenant.fuel_per_day,
        stored_max: tenant.stored_max,
    }
}

/// Each connection is an open file, and the usual limit of them is from another time.
fn raise_files_max() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files can't be raised");
    }
}

impl House {
    async fn open(runtime: Runtime, config: Config, typed: Serve) -> anyhow::Result<Self> {
        let offers = Offers::new(offers::load(&runtime, &config).await?);
        let access = Access::new(runtime.clone());
        let secret = runtime.secret(b"stepwell.request-state/1");
        let server = Server::new(access, offers.clone(), secret, config.mcp.clone());
        let authority = Authority::new(Keys::new(&config.keys), runtime.clock().clone());
        configured(&runtime, "configuration used", &config).await?;
        Ok(Self {
            runtime,
            server,
            offers,
            authority,
            config,
            typed,
        })
    }

    /// Serves until somebody wants it to end, the client has gone, or the store has failed. What is
    /// handed back has answers to send still.
    async fn serve(&self, signals: &mut Signals) -> (anyhow::Result<Exit>, Option<JoinHandle<()>>) {
        let shutdown = CancellationToken::new();
        let serving = (self.server.clone(), self.runtime.clone());
        let options = (self.authority.clone(), self.config.http.clone());
        let front = Front::new(serving, options, shutdown.clone());
        // Until the end: whoever finds it then opens the directory.
        let _name = self.socket(&front);
        let mut serving = match self.typed.stdio {
            true => tokio::spawn(self.stdio(shutdown.clone())),
            false => match self.listen(front).await {
                Ok(listening) => tokio::spawn(listening),
                Err(error) => return (Err(error), None),
            },
        };
        let exit = loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Interrupt | Signal::Terminate => break Ok(Exit::Done),
                    Signal::Reload => self.reload().await,
                },
                // The client has gone.
                _ = &mut serving => break Ok(Exit::Done),
                error = self.runtime.failed() => break Err(error).context("the store has failed"),
            }
        };
        self.server.close();
        shutdown.cancel();
        (exit, Some(serving))
    }

    fn stdio(&self, shutdown: CancellationToken) -> impl Future<Output = ()> + Send + 'static {
        let message_max = usize::try_from(self.config.http.body_max).unwrap_or(usize::MAX);
        let client = (self.server.clone(), Caller::local());
        let (input, output) = (tokio::io::stdin(), tokio::io::stdout());
        say("stepwell is ready: standard input and output");
        stdio::serve(client, input, output, message_max, shutdown)
    }

    async fn listen(
        &self,
        front: Front,
    ) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
        let address = self.config.listen;
        let listener = TcpListener::bind(address).await;
        let listener = listener
            .with_context(|| format!("{address} can't be listened on"))
            .map_err(cli::bad)?;
        let bound = listener
            .local_addr()
            .context("the listener has no address")?;
        say(&format!("stepwell is ready: http://{bound}/mcp"));
        Ok(front.serve(listener, PATIENCE))
    }

    /// Serves the administrator of this machine, by the socket in the data directory. Where there
    /// can't be one, everybody else is served all the same.
    fn socket(&self, front: &Front) -> Option<Name> {
        match Socket::bind(self.runtime.data_dir()) {
            Ok((socket, name)) => {
                tokio::spawn(front.clone().serve(socket, PATIENCE));
                Some(name)
            }
            Err(error) => {
                say(&format!(
                    "{error}; `stepwell tasks` finds this server only by --server"
                ));
                None
            }
        }
    }

    /// Reads the configuration again: other components and other keys hold from now on. Tasks that
    /// are there go on with what they were accepted with. What is wrong is told, and changes
    /// nothing.
    async fn reload(&self) {
        let loaded = async {
            let mut config = config(&self.typed)?;
            // It is listened where it was: a file that would only hold elsewhere opens nothing.
            config.listen = self.config.listen;
            config.check_listen()?;
            let catalogue = offers::load(&self.runtime, &config).await?;
            Ok::<_, anyhow::Error>((config, catalogue))
        };
        match loaded.await {
            Err(error) => say(&format!("the configuration stays as it was: {error:#}")),
            Ok((config, catalogue)) => {
                self.offers.replace(catalogue);
                self.authority.replace(Keys::new(&config.keys));
                if let Err(error) =
                    configured(&self.runtime, "configuration read again", &config).await
                {
                    tracing::error!(%error, "the audit has no entry of it");
                }
                say("the configuration is read again: its components and keys hold from now on");
            }
        }
    }
}

/// Notes durably what is served to whom from now on.
async fn configured(runtime: &Runtime, act: &str, config: &Config) -> Result<(), Error> {
    for component in &config.components {
        let served = format!("component {}", component.path.display());
        runtime.audit_act(Who::Host, act, &served).await?;
    }
    for key in &config.keys {
        let (id, tenant, role) = (&key.id, &key.tenant, key.role);
        let revoked = if key.revoked { ", revoked" } else { "" };
        let key = format!("key {id} of {tenant}, {role}{revoked}");
        runtime.audit_act(Who::Host, act, &key).await?;
    }
    Ok(())
}

/// Says something to whoever started the process.
fn say(line: &str) {
    use std::io::Write as _;
    // Nobody there to read it is no reason not to serve.
    let _ = writeln!(std::io::stderr(), "{line}");
}
