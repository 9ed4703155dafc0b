//! The socket in the data directory: whoever may open it is the administrator of this machine.
//!
//! That is the user whom the server runs as, and root. The socket's mode says so, and each
//! connection is asked whose it is, since the mode is set only after the socket is there.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use super::{Listener, Peer};
use crate::runtime::SOCKET;

/// The most bytes of a socket's path: the system has room for 108, and the last is a NUL.
const PATH_BYTES_MAX: usize = 107;

/// A socket that is listened on.
#[derive(Debug)]
pub struct Socket(UnixListener);

/// The socket's name in the data directory. Dropping it removes it.
#[derive(Debug)]
pub struct Name(PathBuf);

/// A socket that can't be there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotBind {
    /// The system takes no path of that length.
    #[error(
        "the socket `{}` can't be made: its path has {bytes} bytes, and a socket's may have \
         {PATH_BYTES_MAX}; give the data directory a shorter path", path.display()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// Something is there that nobody put there for this.
    #[error("`{}` is there, and is no socket", .0.display())]
    Foreign(PathBuf),
    /// The system says no.
    #[error("the socket `{}` can't be made: {source}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Socket {
    /// Listens in a data directory that this process holds: a socket that is there is one that
    /// nobody listens on any more.
    pub fn bind(data_dir: &Path) -> Result<(Self, Name), CannotBind> {
        let path = data_dir.join(SOCKET);
        let bytes = path.as_os_str().len();
        if bytes > PATH_BYTES_MAX {
            return Err(CannotBind::TooLong { path, bytes });
        }
        let failed = |source| CannotBind::Io {
            path: path.clone(),
            source,
        };
        match fs::symlink_metadata(&path) {
            Ok(there) if there.file_type().is_socket() => {
                fs::remove_file(&path).map_err(failed)?;
            }
            Ok(_) => return Err(CannotBind::Foreign(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        let name = Name(path.clone());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok((Self(listener), name))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(%error, "the socket could not be removed");
        }
    }
}

impl Listener for Socket {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Peer)> {
        let me = rustix::process::geteuid().as_raw();
        loop {
            let (stream, _) = self.0.accept().await?;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == me || peer.uid() == 0 => {
                    return Ok((stream, Peer::Socket));
                }
                _ => tracing::warn!("another user came by the socket, and was sent away"),
            }
        }
    }
}
