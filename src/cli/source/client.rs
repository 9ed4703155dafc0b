//! A server that is spoken to: by the socket in its data directory, or by its address.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::request::Request;
use crate::cli::error::{self, Trouble};
use crate::desk::Ask;
use crate::identity::Secret;
use crate::runtime::SOCKET;

/// How long a server may take to take a connection.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A server.
pub(in crate::cli) struct Client {
    place: Place,
    key: Option<Secret>,
}

/// Where it is.
enum Place {
    Socket(PathBuf),
    Address {
        /// Where to connect.
        address: (String, u16),
        /// As it is named in a request.
        host: String,
        /// What leads every path.
        prefix: String,
    },
}

/// What the server says where it says no.
#[derive(Deserialize)]
struct Refused {
    error: Why,
}

#[derive(Deserialize)]
struct Why {
    code: String,
    message: String,
}

impl Client {
    /// The server that has `data_dir`, if there is one.
    pub(in crate::cli) async fn local(data_dir: &Path) -> anyhow::Result<Option<Self>> {
        let path = data_dir.join(SOCKET);
        match UnixStream::connect(&path).await {
            Ok(_) => Ok(Some(Self {
                place: Place::Socket(path),
                key: None,
            })),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                let message = format!("the server's socket `{}` is not yours", path.display());
                let hint = "it is for the user whom the server runs as; --server and a key are \
                            for everybody else";
                Err(error::input(message, hint))
            }
            // There is none, nobody listens on it any more, or there can't be one with that path:
            // whoever has the directory then has it without a server.
            Err(_) => Ok(None),
        }
    }

    /// The server at `url`.
    pub(in crate::cli) fn remote(url: &str, key: Option<Secret>) -> anyhow::Result<Self> {
        let wrong = |what: &str| {
            let url = crate::text::clean_line(url, 256);
            let hint = "for example http://127.0.0.1:7357";
            error::input(format!("--server: `{url}` {what}"), hint)
        };
        let uri: Uri = url.parse().map_err(|_| wrong("is no URL"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(error::input(
                    "--server: https is not spoken here",
                    "forward the server's port, `ssh -L 7357:127.0.0.1:7357 HOST`, and name \
                     http://127.0.0.1:7357",
                ));
            }
            _ => return Err(wrong("does not begin with http://")),
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("names no host"))?;
        if uri.query().is_some() || uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(wrong("has more than a host, a port and a path"));
        }
        let name = uri.authority().map_or(host, |authority| authority.as_str());
        let prefix = uri.path().trim_end_matches('/');
        // As the server says it when it is ready.
        let prefix = prefix.strip_suffix("/mcp").unwrap_or(prefix);
        Ok(Self {
            place: Place::Address {
                address: (
                    host.trim_matches(['[', ']']).to_owned(),
                    uri.port_u16().unwrap_or(80),
                ),
                host: name.to_owned(),
                prefix: prefix.to_owned(),
            },
            key,
        })
    }

    /// Asks for something.
    pub(in crate::cli) async fn ask(&self, ask: &Ask) -> anyhow::Result<Value> {
        let answer = self.send(Request::of(ask), HeaderMap::new()).await?;
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| self.lost(&error))?.to_bytes();
        serde_json::from_slice(&body).map_err(|error| self.lost(&error).into())
    }

    /// Entries of the audit, each as its line; the number after which the next begin, and whether
    /// there are some now.
    pub(in crate::cli) async fn audit(
        &self,
        query: &str,
    ) -> anyhow::Result<(Vec<String>, u64, bool)> {
        let request = Request::get(format!("/api/v1/audit?{query}"));
        let answer = self.send(request, HeaderMap::new()).await?;
        let header = |name: &str| answer.headers().get(name)?.to_str().ok();
        let after = header("stepwell-after").and_then(|after| after.parse().ok());
        let is_more = header("stepwell-more") == Some("true");
        let after =
            after.ok_or_else(|| self.lost(&"it does not say where the next page begins"))?;
        let body = answer.into_body().collect().await;
        let body = body.map_err(|error| self.lost(&error))?.to_bytes();
        let lines = String::from_utf8_lossy(&body);
        let lines = lines.lines().map(str::to_owned).collect();
        Ok((lines, after, is_more))
    }

    /// Sends a request. What is answered is good.
    pub(super) async fn send(
        &self,
        request: Request,
        headers: HeaderMap,
    ) -> anyhow::Result<Response<Incoming>> {
        let (host, prefix) = match &self.place {
            Place::Socket(_) => ("localhost", ""),
            Place::Address { host, prefix, .. } => (host.as_str(), prefix.as_str()),
        };
        let mut built = hyper::Request::builder()
            .method(request.method)
            .uri(format!("{prefix}{}", request.path))
            .header(HOST, host)
            .header(ACCEPT, "*/*");
        if let Some(key) = &self.key {
            built = built.header(AUTHORIZATION, format!("Bearer {}", key.expose()));
        }
        if request.body.is_some() {
            built = built.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(request.body.unwrap_or_default()));
        let mut built = built.body(body).map_err(|_| {
            error::input(
                "the server or the key can't stand in a request",
                "look at both",
            )
        })?;
        built.headers_mut().extend(headers);
        let answer = match &self.place {
            Place::Socket(path) => {
                let stream = connected(UnixStream::connect(path)).await;
                exchange(stream.map_err(|error| self.lost(&error))?, built).await
            }
            Place::Address { address, .. } => {
                let (host, port) = (address.0.as_str(), address.1);
                let stream = connected(TcpStream::connect((host, port))).await;
                exchange(stream.map_err(|error| self.lost(&error))?, built).await
            }
        };
        let answer = answer.map_err(|error| self.lost(&error))?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            status => Err(self.refused(status, answer).await.into()),
        }
    }

    async fn refused(&self, status: StatusCode, answer: Response<Incoming>) -> Trouble {
        let body = answer.into_body().collect().await;
        let body = body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        match serde_json::from_slice::<Refused>(&body) {
            Ok(Refused { error }) => Trouble::Told {
                code: error.code,
                message: error.message,
            },
            Err(_) => Trouble::Server {
                message: format!(
                    "{} answered {status}: {}",
                    self.name(),
                    String::from_utf8_lossy(&body).trim()
                ),
                hint: None,
            },
        }
    }

    /// No answer has come.
    pub(super) fn lost(&self, error: &dyn std::fmt::Display) -> Trouble {
        Trouble::Server {
            message: format!("{} can't be asked: {error}", self.name()),
            hint: Some("look whether it runs, and where".to_owned()),
        }
    }

    fn name(&self) -> String {
        match &self.place {
            Place::Socket(path) => format!("the server at `{}`", path.display()),
            Place::Address { host, .. } => format!("the server at {host}"),
        }
    }
}

async fn connected<S>(connecting: impl Future<Output = std::io::Result<S>>) -> std::io::Result<S> {
    let connected = tokio::time::timeout(CONNECT_MAX, connecting).await;
    connected.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: hyper::Request<Full<Bytes>>,
) -> Result<Response<Incoming>, hyper::Error> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}
