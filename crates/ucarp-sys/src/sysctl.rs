//! The kernel's settings of one interface below `/proc/sys/net`, as the calling thread's network namespace has them.

use std::io;
use std::path::PathBuf;

/// Which settings: each family has its own, some under the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// `/proc/sys/net/ipv4/conf`.
    Ipv4,
    /// `/proc/sys/net/ipv6/conf`, which is not there if the kernel runs without IPv6.
    Ipv6,
}

/// Settings of the host as a whole instead of one interface. No interface can have these names.
const NOT_INTERFACES: [&str; 2] = ["all", "default"];

/// Why a setting could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// No interface and no setting can be called that, and the path would lead elsewhere.
    #[error("{name:?} is no name of an interface or a setting")]
    BadName {
        /// The name.
        name: String,
    },
    /// The setting is that of all interfaces or of future ones.
    #[error("refused to change {path}, which is not the setting of one interface: change it in sysctl.conf")]
    NotOneInterface {
        /// The file that was not changed.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// `NotFound` if the interface is gone or the kernel does not know the setting.
        source: io::Error,
    },
    /// The file could not be written.
    #[error("cannot write {value:?} to {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What was to be written.
        value: String,
        /// `NotFound` if the interface is gone, `PermissionDenied` without `CAP_NET_ADMIN` or if `/proc/sys` is
        /// mounted read-only, as in many containers.
        source: io::Error,
    },
}

/// The value of a setting, without the line's end. `interface` is a name, or `all` or `default`.
///
/// # Errors
/// [`SysctlError::Read`] and [`SysctlError::BadName`].
pub fn read(family: Family, interface: &str, key: &str) -> Result<String, SysctlError> {
    let path = path(family, interface, key)?;
    match std::fs::read_to_string(&path) {
        Ok(value) => Ok(value.trim_end().to_owned()),
        Err(source) => Err(SysctlError::Read { path, source }),
    }
}

/// Changes a setting of one interface. Nothing is written if it has that value.
///
/// # Errors
/// Each variant of [`SysctlError`].
pub fn write(family: Family, interface: &str, key: &str, value: &str) -> Result<(), SysctlError> {
    let path = path(family, interface, key)?;
    if NOT_INTERFACES.contains(&interface) {
        return Err(SysctlError::NotOneInterface { path });
    }
    if std::fs::read_to_string(&path).is_ok_and(|present| present.trim_end() == value) {
        return Ok(());
    }
    std::fs::write(&path, value).map_err(|source| SysctlError::Write { path, value: value.to_owned(), source })
}

/// The file of a setting. A dot in the name of an interface, as in `eth0.5`, needs no care in a path; a slash cannot be
/// in one, says the kernel.
fn path(family: Family, interface: &str, key: &str) -> Result<PathBuf, SysctlError> {
    let is_bad = |name: &str| matches!(name, "" | "." | "..") || name.contains(['/', '\0']);
    if let Some(name) = [interface, key].into_iter().find(|name| is_bad(name)) {
        return Err(SysctlError::BadName { name: name.to_owned() });
    }
    let family = match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    };
    Ok(["/proc/sys/net", family, "conf", interface, key].iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::tests::{cable, in_new_network, ip};

    #[test]
    fn settings_are_those_of_this_namespace_and_interface() {
        in_new_network(|| {
            cable();
            ip("link set right down");
            ip("link set right name eth0.5");
            for family in [Family::Ipv4, Family::Ipv6] {
                let others = || ["left", "all"].map(|interface| read(family, interface, "forwarding").unwrap());
                let before = others();
                // A new namespace may begin with the settings of the first one.
                let other = if read(family, "eth0.5", "forwarding").unwrap() == "0" { "1" } else { "0" };
                // The second time there is nothing to write.
                for _ in 0..2 {
                    write(family, "eth0.5", "forwarding", other).unwrap();
                    assert_eq!(read(family, "eth0.5", "forwarding").unwrap(), other);
                }
                assert_eq!(others(), before);
            }
        });
    }

    #[test]
    fn settings_of_all_interfaces_are_not_changed() {
        in_new_network(|| {
            for interface in NOT_INTERFACES {
                let before = read(Family::Ipv4, interface, "rp_filter").unwrap();
                for value in ["0", "1", "2"] {
                    let error = write(Family::Ipv4, interface, "rp_filter", value).unwrap_err();
                    assert!(matches!(error, SysctlError::NotOneInterface { .. }), "{error}");
                }
                assert_eq!(read(Family::Ipv4, interface, "rp_filter").unwrap(), before);
            }
        });
    }

    #[test]
    fn errors_name_the_path() {
        in_new_network(|| {
            let missing = "/proc/sys/net/ipv6/conf/gone/forwarding";
            let error = read(Family::Ipv6, "gone", "forwarding").unwrap_err().to_string();
            assert!(error.starts_with(&format!("cannot read {missing}: No such file")), "{error}");
            let error = write(Family::Ipv6, "gone", "forwarding", "1").unwrap_err().to_string();
            assert!(error.starts_with(&format!("cannot write \"1\" to {missing}: ")), "{error}");
            let error = write(Family::Ipv4, "lo", "rp_filter", "many").unwrap_err().to_string();
            assert!(error.contains("/proc/sys/net/ipv4/conf/lo/rp_filter: Invalid argument"), "{error}");
            for name in ["", ".", "..", "../../../kernel", "a/b", "nul\0inside"] {
                for (interface, key) in [(name, "forwarding"), ("lo", name)] {
                    let error = read(Family::Ipv4, interface, key).unwrap_err();
                    assert!(matches!(error, SysctlError::BadName { .. }), "{error}");
                }
            }
        });
    }
}
