//! The few facts of a `Cargo.toml` that the house rules are about.

use std::path::Path;

use crate::Result;

/// A crate of the workspace and what it depends on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The crate's name, which is its folder's.
    pub name: String,
    /// Dependencies for building and running.
    pub dependencies: Vec<String>,
    /// Dependencies for testing only.
    pub dev_dependencies: Vec<String>,
    is_published: bool,
}

impl Manifest {
    /// Those of all crates of the workspace, by name.
    pub(crate) fn all(root: &Path) -> Result<Vec<Self>> {
        let mut folders = vec![root.join("xtask")];
        for entry in std::fs::read_dir(root.join("crates"))? {
            folders.push(entry?.path());
        }
        folders.sort();
        let named = folders.iter().filter_map(|folder| Some((folder, folder.file_name()?)));
        named
            .map(|(folder, name)| {
                let text = std::fs::read_to_string(folder.join("Cargo.toml"))?;
                Ok(Self::parse(&name.to_string_lossy(), &text))
            })
            .collect()
    }

    /// Whether the crate goes to crates.io.
    pub(crate) fn is_published(&self) -> bool {
        self.is_published
    }

    /// Reads `[dependencies]` and its kin, as tables and as one table for each dependency.
    fn parse(name: &str, text: &str) -> Self {
        let is_published = !text.lines().any(|line| line.trim() == "publish = false");
        let mut manifest = Self {
            name: name.to_owned(),
            dependencies: Vec::new(),
            dev_dependencies: Vec::new(),
            is_published,
        };
        let mut section = "";
        for line in text.lines().map(str::trim) {
            let in_header = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            section = in_header.unwrap_or(section);
            let (table, dependency) = match in_header.and_then(|header| header.rsplit_once('.')) {
                Some((table, dependency)) => (table, dependency),
                None => (section, line.split(['.', '=', ' ', '#', '[']).next().unwrap_or("")),
            };
            let list = if table.ends_with("dev-dependencies") {
                &mut manifest.dev_dependencies
            } else if table.ends_with("dependencies") {
                &mut manifest.dependencies
            } else {
                continue;
            };
            if !dependency.is_empty() && !dependency.ends_with("dependencies") {
                list.push(dependency.to_owned());
            }
        }
        manifest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_found_in_every_form() {
        let text = "
            [package]
            publish = false
            [features]
            tls = [\"sqlx/tls\"]
            [dependencies]
            # why
            tokio.workspace = true
            sqlx = { workspace = true }
            [dependencies.axum]
            workspace = true
            [target.'cfg(unix)'.dependencies]
            libc = \"1\"
            [dev-dependencies]
            tempfile = \"3\"
            [lints]
            workspace = true";
        let manifest = Manifest::parse("it", text);
        assert_eq!(manifest.dependencies, ["tokio", "sqlx", "axum", "libc"]);
        assert_eq!(manifest.dev_dependencies, ["tempfile"]);
        assert!(!manifest.is_published());
    }
}
