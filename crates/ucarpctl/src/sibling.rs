//! Programs of the same build, or the same package.

use std::env;
use std::path::{Path, PathBuf};

/// Where system programs are, which a user's PATH may leave out.
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The program beside this one, as a build leaves it, or in the directory for system programs beside its, as a package does;
/// otherwise the one that the shell would find, or root's.
pub(crate) fn find(name: &str) -> PathBuf {
    let own = env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).into_iter().flat_map(|directory| {
        let prefix = directory.parent().unwrap_or(directory);
        [directory.to_owned(), prefix.join("sbin")]
    });
    let path = env::var_os("PATH").unwrap_or_default();
    let known = env::split_paths(&path).chain(SYSTEM.iter().map(PathBuf::from));
    let found = beside.chain(known).map(|directory| directory.join(name)).find(|path| path.is_file());
    // Not there: the name is what an error is about.
    found.unwrap_or_else(|| PathBuf::from(name))
}
