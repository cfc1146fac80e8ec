//! What the doors that a host starts have in common: who speaks through them, and when they end.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use callgate_doors::socket::{Client, Greeting};
use callgate_identity::Token;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::Place;
use crate::output::complain;
use crate::place;

/// The gate of `place`, to whom this door, `name`, shows the credential. It opens without a gate as well: every call is
/// denied until one runs.
///
/// # Errors
/// If the credential cannot be read.
pub(super) async fn opened(name: &str, credential: Option<&Path>, place: &Place) -> Result<Arc<Client>> {
    let token = credential.map(|path| Token::read(path).with_context(|| path.display().to_string())).transpose()?;
    let token = token.map(|token| token.secret().to_owned());
    let gate = Client::new(place::socket(place)?, Greeting { token, door: Some(name.parse()?), session: None });
    if let Err(error) = gate.connect().await {
        complain(&format!("callgate: {error}"));
    }
    Ok(Arc::new(gate))
}

/// Resolves when somebody asks this process to end.
///
/// # Errors
/// If the system does not let us listen.
pub(super) fn stop() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
