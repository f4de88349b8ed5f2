//! Rules of this host's firewall that concern CARP, which is protocol 112, as VRRP is.
//!
//! The daemon reads frames before the tables of IP see them, and writes behind these. So only the hooks of devices, ingress
//! and egress, can stop its multicast. Packets to unicast peers pass the output chains, though.

use ucarp_control::types::VirtualHost;

use super::finding::{Finding, Level};
use super::system::{Answer, System};

/// A base chain.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chain {
    table: String,
    name: String,
    hook: String,
    drops_by_default: bool,
    /// The first rule that is about CARP decides.
    verdict: Option<bool>,
    rule: String,
}

/// Looks at the firewall.
pub(super) fn examine(system: &System, hosts: &[VirtualHost], findings: &mut Vec<Finding>) {
    let has_unicast = hosts.iter().any(|host| host.transport == "unicast");
    let before = findings.len();
    match system.ask("nft", &["list", "ruleset"]) {
        Answer::Said(rules) => chains(&rules).iter().for_each(|chain| judge(chain, has_unicast, findings)),
        Answer::Failed(error) => {
            let text = format!("its rules cannot be read: {}", error.lines().next().unwrap_or("no reason given"));
            findings.push(Finding::new(Level::Note, "firewall", text).mended_by("sudo ucarpctl doctor"));
        }
        Answer::NotThere => {
            let Answer::Said(rules) = system.ask("iptables", &["-S"]) else {
                let text = "not looked at: neither nft nor iptables tells its rules";
                findings.push(Finding::new(Level::Note, "firewall", text).mended_by("sudo nft list ruleset"));
                return;
            };
            iptables(&rules).iter().for_each(|chain| judge(chain, has_unicast, findings));
        }
    }
    if findings.len() == before {
        findings.push(Finding::new(Level::Fine, "firewall", "no rule of this host stops CARP"));
    }
}

/// What a chain does to CARP.
fn judge(chain: &Chain, has_unicast: bool, findings: &mut Vec<Finding>) {
    let drops = chain.verdict.map_or(chain.drops_by_default, |accepts| !accepts);
    if !drops {
        return;
    }
    let Chain { table, name, hook, rule, .. } = chain;
    let what = if rule.is_empty() { "its policy".to_owned() } else { format!("the rule `{rule}`") };
    let place = format!("chain {name} of table {table} ({hook})");
    let mend = if table.starts_with("iptables") {
        format!("iptables -I {name} -p 112 -j ACCEPT")
    } else {
        format!("nft insert rule {table} {name} meta l4proto 112 accept")
    };
    let finding = match hook.as_str() {
        "ingress" | "egress" => Finding::new(
            Level::Error,
            "firewall",
            format!("{what} in {place} drops CARP before the daemon, or behind it"),
        ),
        "output" if has_unicast => {
            Finding::new(Level::Error, "firewall", format!("{what} in {place} drops what goes to unicast peers"))
        }
        "input" => {
            let text = format!(
                "{what} in {place} drops CARP: that does not matter to ucarp, which reads before it, but would to keepalived"
            );
            Finding::new(Level::Note, "firewall", text)
        }
        _ => return,
    };
    findings.push(finding.mended_by(mend));
}

/// Whether a rule is about CARP: names it, its protocol number, or its groups.
fn is_about_carp(rule: &str) -> bool {
    let words: Vec<&str> = rule.split([' ', ',', '{', '}', '\t']).filter(|word| !word.is_empty()).collect();
    let names = ["vrrp", "carp", "224.0.0.18", "224.0.0.18/32", "ff02::12", "ff02::12/128"];
    words.iter().any(|word| names.contains(word))
        || words.windows(2).any(|pair| {
            pair == ["protocol", "112"]
                || pair == ["l4proto", "112"]
                || pair == ["nexthdr", "112"]
                || pair == ["-p", "112"]
        })
}

/// The base chains of `nft list ruleset`.
fn chains(ruleset: &str) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut table = String::new();
    let mut is_base = false;
    for line in ruleset.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("table ") {
            table = name.trim_end_matches('{').trim().to_owned();
        } else if let Some(name) = line.strip_prefix("chain ") {
            is_base = false;
            let name = name.trim_end_matches('{').trim().to_owned();
            chains.push(Chain { table: table.clone(), name, ..Chain::default() });
        } else if let Some(chain) = chains.last_mut() {
            if line.starts_with("type ") && line.contains(" hook ") {
                is_base = true;
                let mut words = line.split([' ', ';']).filter(|word| !word.is_empty());
                chain.hook =
                    words.find(|word| *word == "hook").and_then(|_| words.next()).unwrap_or_default().to_owned();
                chain.drops_by_default = line.contains("policy drop");
            } else if is_base && chain.verdict.is_none() {
                read_rule(chain, line);
            }
        }
    }
    chains.retain(|chain| !chain.hook.is_empty());
    chains
}

fn read_rule(chain: &mut Chain, line: &str) {
    if !is_about_carp(line) {
        return;
    }
    let has = |verdict: &str| line.split_whitespace().any(|word| word.eq_ignore_ascii_case(verdict));
    if has("accept") {
        chain.verdict = Some(true);
    } else if has("drop") || has("reject") {
        chain.verdict = Some(false);
        line.clone_into(&mut chain.rule);
    }
}

/// The built-in chains of `iptables -S`.
fn iptables(rules: &str) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for line in rules.lines().map(str::trim) {
        if let Some((name, policy)) = line.strip_prefix("-P ").and_then(|rest| rest.split_once(' ')) {
            let hook = name.to_ascii_lowercase();
            let drops_by_default = policy == "DROP";
            let table = "iptables filter".to_owned();
            chains.push(Chain { table, name: name.to_owned(), hook, drops_by_default, ..Chain::default() });
        } else if let Some((name, rule)) = line.strip_prefix("-A ").and_then(|rest| rest.split_once(' '))
            && let Some(chain) = chains.iter_mut().find(|chain| chain.name == name && chain.verdict.is_none())
        {
            read_rule(chain, rule);
        }
    }
    chains
}

#[cfg(test)]
mod tests;
