//! A pair of pseudo-terminals: the product opens one end by its path, the test plays the devices at the other.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The devices' end.
pub struct Devices(AsyncFd<OwnedFd>);

/// Opens a pair: the devices' end, the address of the product's end, and what keeps it open between two openings.
pub fn pair() -> (Devices, String, OwnedFd) {
    let pair = openpty(None, None).expect("a pseudo-terminal");
    let name = nix::unistd::ttyname(&pair.slave).expect("it has a name");
    fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("its flags are ours");
    #[expect(deprecated, reason = "its successor is unsafe; an OwnedFd that nobody else holds keeps the promise")]
    let devices = Devices(AsyncFd::new(pair.master).expect("within a runtime"));
    (devices, format!("serial://{}", name.display()), pair.slave)
}

impl AsyncRead for Devices {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let read = guard.try_io(|fd| Ok(nix::unistd::read(fd.get_ref(), buf.initialize_unfilled())?));
            if let Ok(read) = read {
                buf.advance(read?);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Devices {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            if let Ok(written) = guard.try_io(|fd| Ok(nix::unistd::write(fd.get_ref(), bytes)?)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
