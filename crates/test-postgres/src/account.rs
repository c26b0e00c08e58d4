//! The account that a server runs under: PostgreSQL refuses to run as root.

use std::path::Path;

use tokio::process::Command;

use crate::Error;

const PASSWD: &str = "/etc/passwd";

/// Users that have no rights, in the order of preference.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Who runs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    /// Whoever runs this process.
    Own,
    /// Somebody else, because this process runs as root.
    Other { uid: u32, gid: u32 },
}

impl Account {
    /// The account for a server of this process.
    pub(crate) async fn choose() -> Result<Self, Error> {
        if !is_root().await? {
            return Ok(Self::Own);
        }
        let path = Path::new(PASSWD);
        let passwd = std::fs::read_to_string(path)
            .map_err(|source| Error::File { path: path.to_owned(), source })?;
        unprivileged(&passwd).ok_or(Error::NoAccount)
    }

    /// Makes `command` run under this account.
    pub(crate) fn run(self, command: &mut Command) {
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives `path` to this account.
    pub(crate) fn own(self, path: &Path) -> Result<(), Error> {
        match self {
            Self::Own => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::chown(path, Some(uid), Some(gid))
                .map_err(|source| Error::File { path: path.to_owned(), source }),
        }
    }
}

/// Whether this process runs as root.
pub(crate) async fn is_root() -> Result<bool, Error> {
    let output = Command::new("id").arg("-u").output().await;
    let output = output.map_err(|source| Error::Start { program: "id".to_owned(), source })?;
    Ok(output.stdout.trim_ascii() == b"0")
}

/// User id and group id of the first of [`UNPRIVILEGED`] in `passwd`.
fn unprivileged(passwd: &str) -> Option<Account> {
    let find = |name: &&str| {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let is_it = fields.next() == Some(*name);
            let (uid, gid) = (fields.nth(1)?, fields.next()?);
            is_it.then_some((uid.parse().ok()?, gid.parse().ok()?))
        })
    };
    UNPRIVILEGED.iter().find_map(find).map(|(uid, gid)| Account::Other { uid, gid })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_postgres_is_preferred_to_nobody() {
        let nobody = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533:n:/:/bin/false\n";
        assert_eq!(unprivileged(nobody), Some(Account::Other { uid: 65534, gid: 65533 }));
        let both = format!("{nobody}postgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/sh\n");
        assert_eq!(unprivileged(&both), Some(Account::Other { uid: 101, gid: 104 }));
        assert_eq!(unprivileged("root:x:0:0:root:/root:/bin/sh\n"), None);
    }
}
