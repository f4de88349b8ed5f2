//! The package for Fedora and its relatives.

use std::env::consts::ARCH;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::{Kind, Tree};
use super::{Error, NAME, fresh, project, run_tool, version, write};

/// Makes the package of the programs in a directory. Returns where it is.
pub(super) fn build(programs: &Path) -> Result<PathBuf, Error> {
    let top = fresh("rpm")?;
    let stage = fresh("rpm/stage")?;
    let tree = Tree::stage(&stage, Kind::Rpm, programs)?;
    let files = top.join("files");
    write(&files, list(&tree.files()?))?;
    let mut command = Command::new("rpmbuild");
    command.args(["-bb", "--quiet"]).arg(project("packaging/rpm/ucarp.spec"));
    let defines = [
        ("_topdir", top.display().to_string()),
        ("_rpmdir", top.display().to_string()),
        ("stage", stage.display().to_string()),
        ("file_list", files.display().to_string()),
        ("version", version().to_owned()),
        // Dates of files and of the build are those of the sources.
        ("clamp_mtime_to_source_date_epoch", "1".to_owned()),
        ("use_source_date_epoch_as_buildtime", "1".to_owned()),
        ("_buildhost", "localhost".to_owned()),
    ];
    for (name, value) in defines {
        command.arg("--define").arg(format!("{name} {value}"));
    }
    run_tool("rpm", &mut command)?;
    Ok(top.join(format!("{ARCH}/{NAME}-{}-1.{ARCH}.rpm", version())))
}

/// The list of files as the spec file includes it: what is configuration is kept, and documents may be left out.
fn list(files: &[String]) -> String {
    let line = |file: &String| {
        let kind = match file.as_str() {
            file if file.starts_with("etc/") => "%config(noreplace) ",
            file if file.starts_with("usr/share/doc/") => "%doc ",
            _ => "",
        };
        format!("%attr(-, root, root) {kind}/{file}\n")
    };
    let own = ["%dir %attr(0755, root, root) /etc/ucarp\n", "%dir %attr(0755, root, root) /usr/libexec/ucarp\n"];
    own.iter().map(|&line| line.to_owned()).chain(files.iter().map(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_and_documents_are_marked() {
        let files =
            ["etc/ucarp/vip-common.conf", "usr/sbin/ucarp", "usr/share/doc/ucarp-rs/README.md"].map(String::from);
        let text = list(&files);
        for line in [
            "%attr(-, root, root) %config(noreplace) /etc/ucarp/vip-common.conf\n",
            "%attr(-, root, root) /usr/sbin/ucarp\n",
            "%attr(-, root, root) %doc /usr/share/doc/ucarp-rs/README.md\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
