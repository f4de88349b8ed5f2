use std::fs;

use ucarp_control::types::VirtualHost;

use super::*;
use crate::fake;

const RULES: &str = "\
table inet filter {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		ip saddr 10.0.0.0/8 tcp dport 22 accept
	}

	chain output {
		type filter hook output priority filter; policy accept;
		ip protocol { 50, 112 } drop
		meta l4proto 112 drop
	}

	chain helper {
		meta l4proto 112 drop
	}
}
table netdev early {
	chain in {
		type filter hook ingress device \"eth0\" priority 0; policy accept;
		ip daddr 224.0.0.18 counter packets 3 bytes 100 drop
	}

	chain good {
		type filter hook ingress device \"eth1\" priority 0; policy drop;
		ip protocol vrrp accept
	}
}
";

/// What is found on a host whose `nft`, or `iptables`, is a script that prints these rules.
fn found(program: &str, rules: &str, hosts: &[VirtualHost]) -> Vec<Finding> {
    let directory = tempfile::tempdir().unwrap();
    let bin = directory.path().join("bin");
    fs::create_dir(&bin).unwrap();
    fs::write(directory.path().join("rules"), rules).unwrap();
    let script = format!("exec cat {}", directory.path().join("rules").display());
    fake::write_script(&bin.join(program), &script);
    let mut findings = Vec::new();
    examine(&System::at(directory.path()), hosts, &mut findings);
    findings
}

#[test]
fn only_the_hooks_of_devices_stop_multicast() {
    let findings = found("nft", RULES, &[fake::master()]);
    let told: Vec<(Level, &str)> = findings.iter().map(|finding| (finding.level, finding.text.as_str())).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[0].0, Level::Note);
    assert!(
        told[0]
            .1
            .starts_with("its policy in chain input of table inet filter (input) drops CARP: that does not matter")
    );
    assert_eq!(told[1].0, Level::Error);
    assert!(told[1].1.contains("224.0.0.18") && told[1].1.contains("chain in of table netdev early (ingress)"));
    let mend = findings[1].mend.as_deref();
    assert_eq!(mend, Some("nft insert rule netdev early in meta l4proto 112 accept"));
}

#[test]
fn unicast_passes_the_output_chains() {
    let unicast = VirtualHost { transport: "unicast".into(), ..fake::master() };
    let findings = found("nft", RULES, &[unicast]);
    let output = findings.iter().find(|finding| finding.text.contains("(output)")).expect("it is told");
    assert_eq!(output.level, Level::Error);
    assert_eq!(output.mend.as_deref(), Some("nft insert rule inet filter output meta l4proto 112 accept"));
}

#[test]
fn old_iptables_is_understood() {
    let rules = "-P INPUT DROP\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\n";
    let findings = found("iptables", rules, &[fake::master()]);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Note));
    assert_eq!(findings[0].mend.as_deref(), Some("iptables -I INPUT -p 112 -j ACCEPT"));
    let allowed = format!("{rules}-A INPUT -p 112 -j ACCEPT\n");
    let findings = found("iptables", &allowed, &[fake::master()]);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Fine));
}

#[test]
fn a_host_without_rules_is_fine() {
    let findings = found("nft", "", &[]);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Fine));
}

#[test]
fn rules_that_nobody_tells_are_not_said_to_be_fine() {
    let directory = tempfile::tempdir().unwrap();
    let mut findings = Vec::new();
    examine(&System::at(directory.path()), &[], &mut findings);
    assert_eq!((findings.len(), findings[0].level), (1, Level::Note));
}
