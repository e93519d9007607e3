//! `roost serve`: from settings to a running server, and back down in order.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::{self, App, DataDirectory, admin_token};
use crate::auth::Identity;
use crate::clock::Clock;
use crate::config::{Config, Flags};
use crate::engine::EngineClient;
use crate::ingest::Journal;
use crate::{http, server, telemetry};

use super::console::say;
use super::welcome::Welcome;

/// Serves until SIGTERM or SIGINT.
pub(super) fn run(flags: &Flags) -> anyhow::Result<()> {
    let settings = Config::load(flags)?;
    telemetry::start(&settings.log)?;
    server::raise_file_limit();
    let directory = DataDirectory::take(&settings.data.directory)?;
    let identity = Identity::load_or_create(directory.path())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // The port is taken first: nothing is started for a server that cannot listen.
    let listener = runtime.block_on(server::bind(&settings.server))?;
    let journal = app::journal(&settings, &directory)?;
    let (engine, supervisor) = app::engine(&settings, &directory)?;
    let served = runtime.block_on(serve(&settings, &directory, &identity, (engine, journal), listener));
    drop(runtime);
    if let Some(supervisor) = supervisor {
        supervisor.stop();
    }
    served
}

async fn serve(
    settings: &Config,
    directory: &DataDirectory,
    identity: &Identity,
    stores: (EngineClient, Journal),
    listener: tokio::net::TcpListener,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let admin = admin_token(settings, identity, directory.path())?;
    // Loading a project may be broken off at any point: the next start goes on from there.
    let app = tokio::select! {
        app = App::start(settings, stores, (identity, admin), &stop) => app?,
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let address = listener.local_addr().context("cannot read the address that the server listens on")?;
    directory.announce(address).context("cannot write the address into the data directory")?;
    let welcome = Welcome {
        settings,
        data_directory: directory.path(),
        address,
        workspace: &app.catalog.workspace(),
        now: Clock::System.now(),
    };
    say(welcome.text());
    let service = http::service(app.rooms.clone());
    let metrics = app.connections.clone();
    let serving = server::serve(listener, service, &settings.server, (metrics, stop.clone()));
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => {}
        _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
        _ = interrupt.recv() => tracing::info!("stopping: interrupted"),
    }
    stop.cancel();
    serving.await;
    app.finish(settings.server.stop_grace).await;
    tracing::info!("stopped");
    Ok(())
}
