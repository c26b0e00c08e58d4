//! The server that `DATABASE_URL` names.

use tokio::net::TcpStream;
use url::Url;

use crate::Error;

/// The port of PostgreSQL, when the URL names none.
const PORT: u16 = 5432;

/// Refuses a URL that names no PostgreSQL server, or one that does not answer.
///
/// A server that is given and gone is a mistake that a fallback would hide. One behind a Unix
/// socket is left to the first connection to find out about.
pub(crate) async fn check(url: &str) -> Result<(), Error> {
    let Some((host, port)) = address(url)? else { return Ok(()) };
    match TcpStream::connect((host.as_str(), port)).await {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Unreachable { server: format!("{host}:{port}"), source }),
    }
}

/// Host and port of a server behind TCP, `None` behind a Unix socket.
fn address(url: &str) -> Result<Option<(String, u16)>, Error> {
    let url = Url::parse(url).map_err(|_| Error::NotAUrl)?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(Error::NotAUrl);
    }
    let in_query = |key| url.query_pairs().find(|(k, _)| k == key).map(|(_, v)| v.into_owned());
    let host = in_query("host").or_else(|| url.host_str().map(str::to_owned));
    let host = host.filter(|host| !host.is_empty()).unwrap_or_else(|| "localhost".to_owned());
    if host.starts_with('/') || host.to_ascii_lowercase().starts_with("%2f") {
        return Ok(None);
    }
    let port = in_query("port").and_then(|port| port.parse().ok()).or(url.port());
    let host = host.trim_matches(['[', ']']).to_owned();
    Ok(Some((host, port.unwrap_or(PORT))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_read_from_every_form_of_the_url() {
        let of = |url| address(url).unwrap();
        let tcp = |host: &str, port| Some((host.to_owned(), port));
        assert_eq!(of("postgres://me:pw@db.example/app"), tcp("db.example", 5432));
        assert_eq!(of("postgresql://[::1]:5433/app?sslmode=disable"), tcp("::1", 5433));
        assert_eq!(of("postgres:///app?host=db&port=6000"), tcp("db", 6000));
        assert_eq!(of("postgres://%2Frun%2Fpostgresql/app"), None);
        assert_eq!(of("postgres:///app?host=/run/postgresql"), None);
        assert!(matches!(address("mysql://db/app"), Err(Error::NotAUrl)));
        assert!(matches!(address("db.example"), Err(Error::NotAUrl)));
    }

    #[tokio::test]
    async fn a_given_server_that_does_not_answer_is_an_error_without_the_password() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://me:secret@127.0.0.1:{port}/app");
        check(&url).await.unwrap();
        // A port that was just given back may be somebody else's at once; this one is nobody's.
        let error = check("postgres://me:secret@127.0.0.1:1/app").await.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains("127.0.0.1:1") && !text.contains("secret"), "{text}");
    }
}
