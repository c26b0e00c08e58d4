//! JSON from outside comes in through `JsonLimits` and nowhere else.

use std::path::Path;

use super::File;

/// The crates that read what others send.
const CRATES: [&str; 5] =
    ["highwater-console", "highwater-core", "highwater-live", "highwater-saga", "sample-app"];

/// What takes JSON without a look at it.
const UNCHECKED: [&str; 6] = [
    "serde_json::from_slice",
    "serde_json::from_str",
    "serde_json::from_reader",
    "serde_json::Deserializer::from_",
    "JsonRejection",
    "): Json<",
];

/// Files that parse what was checked before, or was stored.
const CHECKED: [&str; 11] = [
    "amount.rs",
    "attributes.rs",
    "cloud_event.rs",
    "json.rs",
    "json_limits.rs",
    "order.rs",
    "packed_json.rs",
    "payload.rs",
    "problem.rs",
    "typed.rs",
    "metadata.rs",
];

/// What is wrong with the file.
pub(super) fn check(file: &File) -> Vec<String> {
    let is_checked = file.path.file_name().is_some_and(|name| CHECKED.iter().any(|it| name == *it));
    if is_checked || !reads_from_outside(&file.path) {
        return Vec::new();
    }
    // Tests stand at the end of a file.
    let code = file.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]"));
    let lines = (1..).zip(code).filter(|(_, line)| {
        !line.trim_start().starts_with("//") && UNCHECKED.iter().any(|it| line.contains(it))
    });
    lines
        .map(|(number, _)| {
            format!("{}:{number}: JSON that JsonLimits has not checked", file.path.display())
        })
        .collect()
}

fn reads_from_outside(path: &Path) -> bool {
    CRATES.iter().any(|name| path.starts_with(Path::new("crates").join(name).join("src")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(path: &str, text: &str) -> usize {
        check(&File { path: path.into(), text: text.to_owned() }).len()
    }

    #[test]
    fn what_parses_without_a_look_is_noticed_but_in_tests_and_where_it_was_checked() {
        let parsing = "let x = serde_json::from_slice(body);\n";
        assert_eq!(broken("crates/sample-app/src/users.rs", parsing), 1);
        assert_eq!(broken("crates/highwater-live/src/hub/call.rs", "Json(x): Json<X>,"), 1);
        let in_tests = format!("//! Fine.\n#[cfg(test)]\nmod tests {{\n{parsing}}}");
        assert_eq!(broken("crates/sample-app/src/users.rs", &in_tests), 0);
        for path in [
            "crates/sample-app/tests/app/users.rs",
            "crates/highwater-postgres/src/saga_row.rs",
            "crates/highwater-core/src/payload.rs",
        ] {
            assert_eq!(broken(path, parsing), 0, "{path}");
        }
    }
}
