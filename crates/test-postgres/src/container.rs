//! A PostgreSQL server in a container.

use std::time::{SystemTime, UNIX_EPOCH};

use testcontainers::core::{IntoContainerPort, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{
    ContainerAsync, ContainerRequest, GenericImage, ImageExt, TestcontainersError,
};
use tokio::process::Command;

use crate::watchdog::Watchdog;
use crate::{Error, Settings, command};

const IMAGE: (&str, &str) = ("postgres", "17-alpine");
const PORT: u16 = 5432;

/// Parallel queries need more shared memory than a container has by itself.
const SHARED_MEMORY_BYTES: u64 = 1 << 30;

/// A running container, gone with this process.
pub(crate) struct Container {
    url: String,
    _container: ContainerAsync<GenericImage>,
    _watchdog: Watchdog,
}

impl Container {
    /// Starts one; `None` when there is no Docker here that works.
    pub(crate) async fn start() -> Result<Option<Self>, Error> {
        let mut version = Command::new("docker");
        version.args(["version", "--format", "{{.Server.Version}}"]);
        if command::run(&mut version).await.is_err() {
            return Ok(None);
        }
        let name = format!("test-postgres-{}-{}", std::process::id(), nanoseconds());
        let watchdog = Watchdog::start("docker rm --force --volumes \"$1\"", &name)?;
        match launch(&name).await {
            Ok((container, url)) => {
                Ok(Some(Self { url, _container: container, _watchdog: watchdog }))
            }
            Err(error) => {
                eprintln!("Docker did not start PostgreSQL, looking for one elsewhere: {error}");
                Ok(None)
            }
        }
    }

    /// The URL of the database `postgres`, as superuser.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Tells processes apart that share an engine but not their process ids.
fn nanoseconds() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos())
}

async fn launch(name: &str) -> Result<(ContainerAsync<GenericImage>, String), TestcontainersError> {
    let container = request(name).start().await?;
    let host = container.get_host().await?;
    let port = container.get_host_port_ipv4(PORT).await?;
    Ok((container, format!("postgres://postgres@{host}:{port}/postgres")))
}

fn request(name: &str) -> ContainerRequest<GenericImage> {
    let parameters = Settings::default().parameters();
    let options = parameters.into_iter().flat_map(|(k, v)| ["-c".to_owned(), format!("{k}={v}")]);
    // The image starts its server twice, and only the second one writes to the standard error.
    GenericImage::new(IMAGE.0, IMAGE.1)
        .with_exposed_port(PORT.tcp())
        .with_wait_for(WaitFor::message_on_stderr("database system is ready to accept connections"))
        .with_env_var("POSTGRES_HOST_AUTH_METHOD", "trust")
        .with_env_var("POSTGRES_INITDB_ARGS", "--locale=C --encoding=UTF8 --no-sync")
        .with_shm_size(SHARED_MEMORY_BYTES)
        .with_container_name(name)
        .with_cmd(options)
}
