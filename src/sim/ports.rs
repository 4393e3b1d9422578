//! Serial ports, pseudo-terminals and standard output as streams to write to.
//!
//! It refuses to know what is spoken on them.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use serial2_tokio::SerialPort;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe;

use super::channel::Output;

/// A line in both directions: a Modbus client asks on it.
pub(crate) trait Line: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Line for T {}

/// Somewhere to write to.
pub(crate) type Port = Box<dyn Line>;

/// Opens a stream output; with it comes the name that a listener opens.
pub(crate) fn open(output: &Output) -> io::Result<(Port, String)> {
    match output {
        Output::Serial(path, baud) => Ok((Box::new(SerialPort::open(path, *baud)?), output.to_string())),
        Output::Pty(link) => {
            let pty = Pty::open(link.as_deref())?;
            let name =
                link.as_ref().map_or_else(|| pty.name.clone(), |link| format!("{} ({})", link.display(), pty.name));
            Ok((Box::new(pty), name))
        }
        _ => {
            let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
            Ok((Box::new(tokio::fs::File::from_std(file)), output.to_string()))
        }
    }
}

/// A pseudo-terminal: this is its near end; a listener opens the far one as it opens a serial port.
#[derive(Debug)]
struct Pty {
    /// No pipe, and written to as one is: what it needs is a descriptor that does not block, and that tells when it has
    /// room.
    near: pipe::Sender,
    /// The same, to read from.
    ear: pipe::Receiver,
    /// Held open, so that a listener may come and go.
    _far: File,
    name: String,
    link: Option<PathBuf>,
}

impl Pty {
    fn open(link: Option<&Path>) -> io::Result<Self> {
        let near = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        grantpt(&near)?;
        unlockpt(&near)?;
        let name = ptsname_r(&near)?;
        let far = File::options().read(true).write(true).open(&name)?;
        // Raw: a terminal would turn CR into LF, and send everything back.
        let mut settings = tcgetattr(&far)?;
        cfmakeraw(&mut settings);
        tcsetattr(&far, SetArg::TCSANOW, &settings)?;
        if let Some(link) = link {
            point(link, Path::new(&name))?;
        }
        let near = File::from(OwnedFd::from(near));
        let ear = pipe::Receiver::from_file_unchecked(near.try_clone()?)?;
        let near = pipe::Sender::from_file_unchecked(near)?;
        Ok(Self { near, ear, _far: far, name, link: link.map(Path::to_owned) })
    }
}

/// Makes `link` point to `target`; replaces a link, and nothing else.
fn point(link: &Path, target: &Path) -> io::Result<()> {
    match link.symlink_metadata() {
        Ok(data) if data.is_symlink() => std::fs::remove_file(link)?,
        Ok(_) => {
            let problem = format!("{} is there and no symbolic link; it is left alone", link.display());
            return Err(io::Error::new(ErrorKind::AlreadyExists, problem));
        }
        Err(_) => {}
    }
    std::os::unix::fs::symlink(target, link)
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Some(link) = &self.link
            && std::fs::read_link(link).is_ok_and(|target| target == Path::new(&self.name))
        {
            let _ = std::fs::remove_file(link);
        }
    }
}

impl AsyncRead for Pty {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.ear).poll_read(context, into)
    }
}

impl AsyncWrite for Pty {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test]
    async fn a_listener_on_the_far_end_hears_every_byte_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("gps");
        let (mut port, name) = open(&Output::Pty(Some(link.clone()))).unwrap();
        assert!(name.starts_with(&*link.to_string_lossy()), "{name}");
        let mut far = File::open(&link).unwrap();
        let all: Vec<u8> = (0..=255).collect();
        port.write_all(&all).await.unwrap();
        let mut heard = [0; 256];
        far.read_exact(&mut heard).unwrap();
        assert_eq!(heard.as_slice(), all);
        drop(port);
        assert!(link.symlink_metadata().is_err(), "the link goes with the terminal");
    }

    #[tokio::test]
    async fn what_is_no_link_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("precious");
        std::fs::write(&file, "data").unwrap();
        let told = open(&Output::Pty(Some(file.clone()))).err().unwrap().to_string();
        assert!(told.contains("left alone"), "{told}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "data");
    }
}
