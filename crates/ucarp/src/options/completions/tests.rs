use std::path::Path;
use std::process::Command;
use std::{env, fs};

use super::*;

/// The committed copies are what packages install. `UPDATE=1 cargo test -p ucarp` writes them anew.
#[test]
fn committed_scripts_are_up_to_date() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for (name, shell) in [("ucarp.bash", Shell::Bash), ("_ucarp", Shell::Zsh), ("ucarp.fish", Shell::Fish)] {
        let path = directory.join(name);
        if env::var_os("UPDATE").is_some_and(|value| value == "1") {
            fs::write(&path, completions(shell)).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap();
        assert_eq!(committed, completions(shell), "{name} is old: run UPDATE=1 cargo test -p ucarp");
    }
}

/// What bash offers for the last of these words.
fn bash_offers(words: &[&str]) -> Vec<String> {
    let script = format!(
        "{}\nCOMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _ucarp; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        completions(Shell::Bash)
    );
    let output = Command::new("bash").args(["--norc", "-c", &script, "bash"]).args(words).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).filter(|line| !line.is_empty()).collect()
}

#[test]
fn bash_completes_options_and_values() {
    assert_eq!(bash_offers(&["ucarp", "--ad"]), ["--addr", "--advbase", "--advskew"]);
    assert_eq!(bash_offers(&["ucarp", "-f", "local"]).len(), 8);
    assert_eq!(bash_offers(&["ucarp", "--facility", "=", "au"]), ["auth", "authpriv"]);
    assert_eq!(bash_offers(&["ucarp", "--completions", "="]), ["bash", "zsh", "fish"]);
    assert_eq!(bash_offers(&["ucarp", "-i", "l"]), ["lo"]);
    assert!(bash_offers(&["ucarp", "-o", "/etc/passw"]).contains(&"/etc/passwd".to_owned()));
    assert!(bash_offers(&["ucarp", "-v", ""]).is_empty());
    assert_eq!(bash_offers(&["ucarp", "-z", "--interface", "lo", "--vh"]), ["--vhid"]);
}

#[test]
fn every_option_is_in_every_script() {
    let [bash, zsh, fish] = [Shell::Bash, Shell::Zsh, Shell::Fish].map(completions);
    for option in OPTIONS {
        let name = option.name();
        assert!(bash.contains(&format!("--{name}")), "{name}");
        assert!(zsh.contains(&format!("--{name}{}[", if option.argument.is_some() { "=" } else { "" })), "{name}");
        assert!(fish.contains(&format!(" -l {name} ")), "{name}");
        if let Some(letter) = option.short {
            assert!(fish.contains(&format!(" -s {letter} -l {name} ")), "{name}");
            assert!(zsh.contains(&format!(")-{letter}")), "{name}");
        }
    }
}
