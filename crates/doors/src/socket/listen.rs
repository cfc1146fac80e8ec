//! Opening the socket so that nobody can stand in for the gate.

use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use super::SocketError;
use crate::accepting::Listens;

/// Who may connect. Connecting alone permits nothing: every operation asks who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The gate's own user: 0600.
    Owner,
    /// The gate's group as well: 0660.
    Group,
    /// Every local user: 0666.
    Everyone,
}

impl Access {
    const fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o660,
            Self::Everyone => 0o666,
        }
    }
}

/// An open socket; its name is removed when this is dropped, if it still names this socket.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, so that a successor's socket is left alone.
    identity: (u64, u64),
}

impl Listening {
    /// Opens the socket at `path`. Its directory is made (0711) if it is missing.
    ///
    /// A stale socket, to which nobody listens, is replaced. The socket gets its mode before it gets
    /// its name, so that there is no moment at which others could connect.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn bind(path: &Path, access: Access) -> Result<Self, SocketError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let (Some(directory), Some(name)) = (directory, path.file_name()) else {
            return Err(SocketError::NoDirectory(path.to_owned()));
        };
        if !directory.exists() {
            std::fs::DirBuilder::new().recursive(true).mode(0o711).create(directory)?;
            // Whatever the umask took away: without search permission nobody could connect.
            std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o711))?;
        }
        refuse_exposed(path, directory)?;
        refuse_taken(path)?;

        let mut unnamed = name.to_owned();
        unnamed.push(format!(".{}", std::process::id()));
        let unnamed = directory.join(unnamed);
        let _ = std::fs::remove_file(&unnamed);
        let listener = UnixListener::bind(&unnamed)?;
        let named = std::fs::set_permissions(&unnamed, std::fs::Permissions::from_mode(access.mode()))
            .and_then(|()| std::fs::symlink_metadata(&unnamed))
            .and_then(|metadata| std::fs::rename(&unnamed, path).map(|()| metadata));
        match named {
            Ok(metadata) => Ok(Self { listener, path: path.to_owned(), identity: (metadata.dev(), metadata.ino()) }),
            Err(error) => {
                let _ = std::fs::remove_file(&unnamed);
                Err(error.into())
            }
        }
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Listens for Listening {
    type Stream = UnixStream;

    async fn accept(&self) -> std::io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let own = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        if own {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whoever can write the directory can put another socket there and collect tokens.
fn refuse_exposed(path: &Path, directory: &Path) -> Result<(), SocketError> {
    let metadata = std::fs::metadata(directory)?;
    let owner = metadata.uid() == 0 || metadata.uid() == geteuid().as_raw();
    if owner && metadata.mode() & 0o022 == 0 { Ok(()) } else { Err(SocketError::Exposed(path.to_owned())) }
}

fn refuse_taken(path: &Path) -> Result<(), SocketError> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(SocketError::NotASocket(path.to_owned())),
        Ok(_) => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => Err(SocketError::InUse(path.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error.into()),
        },
    }
}
