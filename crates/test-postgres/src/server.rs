//! The one server that all tests of a process share.

use tokio::sync::OnceCell;

use crate::container::Container;
use crate::{Cluster, Error, Settings, given};

/// The environment variable that names a server to use.
pub const DATABASE_URL: &str = "DATABASE_URL";

/// Lives until the process ends: a static is never dropped, the watchdogs clean up.
static SERVER: OnceCell<Server> = OnceCell::const_new();

/// Where the server comes from.
enum Server {
    Given(String),
    Container(Box<Container>),
    Cluster(Cluster),
}

/// The URL of a PostgreSQL for tests, the same one for the whole process.
///
/// In this order: what `DATABASE_URL` names; a container, when Docker has a working engine; a
/// throw-away cluster of the programs installed here; as root on Debian, of the programs of
/// Debian's package, which is installed then. Fails when none of them will do, and when
/// `DATABASE_URL` names a server that does not answer.
///
/// The role may create schemas and databases; tests keep apart by schemas of their own.
pub async fn url() -> Result<String, Error> {
    let server = SERVER.get_or_try_init(find).await?;
    Ok(match server {
        Server::Given(url) => url.clone(),
        Server::Container(container) => container.url().to_owned(),
        Server::Cluster(cluster) => cluster.url(),
    })
}

async fn find() -> Result<Server, Error> {
    if let Some(url) = std::env::var(DATABASE_URL).ok().filter(|url| !url.is_empty()) {
        given::check(&url).await?;
        return Ok(Server::Given(url));
    }
    if let Some(container) = Container::start().await? {
        return Ok(Server::Container(Box::new(container)));
    }
    Cluster::start(Settings::default()).await.map(Server::Cluster)
}
