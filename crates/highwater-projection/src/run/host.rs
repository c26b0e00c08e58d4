//! The name under which operators see a process that holds leases.

use std::sync::LazyLock;

/// Where Linux keeps the name of the machine, or of the container.
const LINUX_HOSTNAME: &str = "/proc/sys/kernel/hostname";

/// `host:process id`, for the leases that the process takes.
///
/// Where the host does not tell its name, neither in Linux's way nor by `HOSTNAME` or
/// `COMPUTERNAME`, it is called `host`. Only a label: what tells owners apart is random.
pub(crate) fn label() -> &'static str {
    static LABEL: LazyLock<String> = LazyLock::new(|| {
        let told = std::fs::read_to_string(LINUX_HOSTNAME).ok();
        let told = told.or_else(|| std::env::var("HOSTNAME").ok());
        let told = told.or_else(|| std::env::var("COMPUTERNAME").ok()).unwrap_or_default();
        let host = Some(told.trim()).filter(|name| !name.is_empty()).unwrap_or("host");
        format!("{host}:{}", std::process::id())
    });
    &LABEL
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_label_ends_with_the_process_id() {
        let (host, process) = super::label().rsplit_once(':').unwrap();
        assert!(!host.is_empty() && !host.contains('\n'));
        assert_eq!(process, std::process::id().to_string());
    }
}
