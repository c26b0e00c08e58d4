//! The command line.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::Authority;
use highwater::HealthThresholds;
use lexopt::prelude::{Long, Short, Value, ValueExt};

use crate::import::cloud_event::Rules;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Usage: sample-app [OPTIONS]              serve the HTTP API
       sample-app [OPTIONS] import FILE  import CloudEvents, one JSON object a line

FILE may be compressed with gzip; - is standard input. An event is imported once, however often
its file is: source and id name it. All that is sent with it is kept, id and source as well.

Options of import:
  --stream NAME       the stream of the events. {source}, {type} or another attribute in braces
                      stands for its value, {subject|type} for the first that an event has:
                      --stream 'shop-{subject}' [default: {subject|source}]
  --id-prefix TEXT    put TEXT in front of each id, to tell events apart from those of another
                      log whose ids and sources are the same; repeat it when importing again

Options:
  --database-url URL  sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME
                      [default: $DATABASE_URL, else sqlite:highwater.db]
  --host ADDRESS      listen on this address; 0.0.0.0 for all [default: 127.0.0.1]
  --port PORT         listen on this port; 0 for any that is free [default: 6001]
  --degraded-lag N    a projection this many events behind is degraded [default: 1000]
  --unhealthy-lag N   a projection this many events behind is unhealthy [default: 100000]
  --allowed-origin URL
                      let pages of this origin follow streams, too; may be repeated
  --allowed-host NAME answer to this name or address, too; may be repeated. Others are
                      localhost, loopback addresses, and the one that was connected to
  --lease SECONDS     another instance takes over from a dead one after this [default: 10]
  --step-delay MS     each step of an order takes this long, to watch it [default: 0]
  -h, --help          print this text
  -V, --version       print the version

RUST_LOG sets what is logged to standard error [default: info].";

const DEFAULT_DATABASE: &str = "sqlite:highwater.db";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) enum Args {
    Help,
    Version,
    Run { database_url: String, task: Task },
}

/// What to do with the database.
#[derive(Debug, PartialEq)]
pub(crate) enum Task {
    Serve(ServeOptions),
    Import(ImportOptions),
}

/// What to import and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ImportOptions {
    /// Standard input when there is none.
    pub(crate) file: Option<PathBuf>,
    pub(crate) rules: Rules,
}

/// Where to listen and for whom, what counts as healthy, how long the dead keep their leases, and
/// how long a step of an order takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServeOptions {
    pub(crate) host: IpAddr,
    pub(crate) port: u16,
    pub(crate) thresholds: HealthThresholds,
    pub(crate) lease: Duration,
    pub(crate) step_delay: Duration,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) allowed_hosts: Vec<String>,
}

impl Args {
    /// Reads the arguments, of which the first is the program's own name.
    pub(crate) fn parse(
        args: impl IntoIterator<Item = OsString>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, lexopt::Error> {
        let mut parser = lexopt::Parser::from_iter(args);
        let mut database_url = env("DATABASE_URL").filter(|url| !url.is_empty());
        let mut options = ServeOptions {
            host: Ipv4Addr::LOCALHOST.into(),
            port: 6001,
            thresholds: HealthThresholds::default(),
            lease: Duration::from_secs(10),
            step_delay: Duration::ZERO,
            allowed_origins: Vec::new(),
            allowed_hosts: Vec::new(),
        };
        let mut rules = Rules::default();
        let mut words = Vec::new();
        while let Some(arg) = parser.next()? {
            match arg {
                Short('h') | Long("help") => return Ok(Self::Help),
                Short('V') | Long("version") => return Ok(Self::Version),
                Long("database-url") => database_url = Some(parser.value()?.string()?),
                Long("host") => options.host = number(&mut parser)?,
                Long("port") => options.port = number(&mut parser)?,
                Long("degraded-lag") => {
                    options.thresholds.degraded_events = number(&mut parser)?;
                }
                Long("unhealthy-lag") => {
                    options.thresholds.unhealthy_events = number(&mut parser)?;
                }
                Long("lease") => {
                    options.lease =
                        Duration::from_secs(number::<NonZeroU32>(&mut parser)?.get().into());
                }
                Long("step-delay") => {
                    options.step_delay = Duration::from_millis(number::<u32>(&mut parser)?.into());
                }
                Long("allowed-origin") => {
                    options.allowed_origins.push(parser.value()?.parse_with(origin)?);
                }
                Long("allowed-host") => {
                    options.allowed_hosts.push(parser.value()?.parse_with(host)?);
                }
                Long("stream") => rules.stream = parser.value()?.parse()?,
                Long("id-prefix") => rules.id_prefix = parser.value()?.string()?,
                Value(word) => words.push(word),
                other => return Err(other.unexpected()),
            }
        }
        let database_url = database_url.unwrap_or_else(|| DEFAULT_DATABASE.to_owned());
        Ok(Self::Run { database_url, task: task(&words, options, rules)? })
    }
}

fn number<T>(parser: &mut lexopt::Parser) -> Result<T, lexopt::Error>
where
    T: FromStr,
    T::Err: Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
{
    parser.value()?.parse()
}

/// The origin of a page, as browsers write it: scheme, host and port in small letters, no path.
fn origin(url: &str) -> Result<String, &'static str> {
    let uri: Uri = url.parse().map_err(|_| "not a URL")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("an origin is like https://shop.example");
    };
    if uri.path() != "/" || uri.query().is_some() || authority.as_str().contains('@') {
        return Err("an origin has no path, query or user");
    }
    Ok(format!("{scheme}://{authority}").to_lowercase())
}

/// The name of a host, as it is compared: in small letters, no port.
fn host(name: &str) -> Result<String, &'static str> {
    match name.parse::<Authority>() {
        Ok(authority) if authority.host() == name => Ok(name.trim_end_matches('.').to_lowercase()),
        _ => Err("a host is like shop.example, without a port"),
    }
}

fn task(words: &[OsString], options: ServeOptions, rules: Rules) -> Result<Task, lexopt::Error> {
    match words {
        [] if rules != Rules::default() => {
            Err("--stream and --id-prefix are options of import".into())
        }
        [] => Ok(Task::Serve(options)),
        [import, file] if import == "import" => {
            let file = (file != "-").then(|| PathBuf::from(file));
            Ok(Task::Import(ImportOptions { file, rules }))
        }
        [import] if import == "import" => Err("import needs a FILE".into()),
        [import, _, extra, ..] if import == "import" => {
            Err(lexopt::Error::UnexpectedArgument(extra.clone()))
        }
        [word, ..] => Err(lexopt::Error::UnexpectedArgument(word.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Args, lexopt::Error> {
        let args = std::iter::once(&"sample-app").chain(args).map(OsString::from);
        Args::parse(args, |name| (name == "DATABASE_URL").then(String::new))
    }

    #[test]
    fn without_arguments_it_serves_an_sqlite_file_on_port_6001() {
        let Args::Run { database_url, task: Task::Serve(options) } = parse(&[]).unwrap() else {
            panic!("it does not serve");
        };
        assert_eq!(database_url, "sqlite:highwater.db");
        assert_eq!((options.host, options.port), (Ipv4Addr::LOCALHOST.into(), 6001));
    }

    #[test]
    fn origins_and_hosts_are_written_as_browsers_write_them() {
        let args = [
            "--allowed-origin",
            "https://Shop.example/",
            "--allowed-origin=http://a:80",
            "--allowed-host=Shop.com",
        ];
        let Args::Run { task: Task::Serve(options), .. } = parse(&args).unwrap() else {
            panic!("it does not serve");
        };
        assert_eq!(options.allowed_origins, ["https://shop.example", "http://a:80"]);
        assert_eq!(options.allowed_hosts, ["shop.com"]);
    }

    #[test]
    fn options_are_understood_before_and_behind_the_command() {
        for args in [["import", "a.gz", "--database-url=x"], ["--database-url=x", "import", "a.gz"]]
        {
            let options = ImportOptions { file: Some("a.gz".into()), ..Default::default() };
            let task = Task::Import(options);
            let run = Args::Run { database_url: "x".to_owned(), task };
            assert_eq!(parse(&args).unwrap(), run);
        }
        let stdin = ["import", "-", "--stream", "a-{type}", "--id-prefix=b"];
        let Args::Run { task: Task::Import(options), .. } = parse(&stdin).unwrap() else {
            panic!("it does not import");
        };
        let rules = Rules { stream: "a-{type}".parse().unwrap(), id_prefix: "b".to_owned() };
        assert_eq!(options, ImportOptions { file: None, rules });
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for args in [
            &["export"][..],
            &["import"],
            &["import", "a", "b"],
            &["--port", "x"],
            &["--port"],
            &["--host", "nowhere"],
            &["--lease", "0"],
            &["--step-delay", "-1"],
            &["--colour"],
            &["--allowed-origin", "shop.example"],
            &["--allowed-origin", "https://shop.example/page"],
            &["--allowed-origin", "https://ada@shop.example"],
            &["--allowed-host", "shop.example:80"],
            &["--allowed-host", "https://shop.example"],
            &["--allowed-host", ""],
            &["--stream", "all"],
            &["import", "a", "--stream", "{"],
            &["import", "a", "--stream", ""],
        ] {
            assert!(parse(args).is_err(), "{args:?}");
        }
    }
}
