//! A bus behind a TCP server: a multiplexer, a serial server, a CAN gateway, another program.
//!
//! A connection that went silent is closed: a half-open one (the server lost power) looks the same and would last for
//! ever.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::wire::StreamDecoder;

use super::SensorsError;
use super::context::BusContext;
use super::intake::Intake;
use super::stream::{self, Patience};

/// Runs until shutdown.
pub(crate) async fn run(context: BusContext, host: String, port: u16, intake: Intake<dyn StreamDecoder>) {
    let tuning = context.tuning;
    let open = || connect(tuning.connect_timeout, &host, port);
    stream::run(&context, context.attempts(), intake, Patience::Bytes(tuning.read_idle_max), open).await;
}

/// A connection, or why there is none within `limit`.
pub(crate) async fn connect(limit: Duration, host: &str, port: u16) -> Result<TcpStream, SensorsError> {
    let target = || format!("{host}:{port}");
    match timeout(limit, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) => Err(SensorsError::Unreachable { target: target(), source }),
        Err(_) => Err(SensorsError::ConnectTimeout { target: target(), seconds: limit.as_secs() }),
    }
}
