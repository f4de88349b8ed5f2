use super::*;

fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn times_and_targets_are_read_in_any_order() {
    let request = |seconds, targets: &[&str]| Request { each: Duration::from_secs(seconds), targets: strings(targets) };
    assert_eq!(parse(&[]).unwrap(), request(60, &[]));
    assert_eq!(parse(&["--minutes", "10"]).unwrap(), request(600, &[]));
    assert_eq!(parse(&["frame", "--seconds=30", "node"]).unwrap(), request(30, &["frame", "node"]));
    assert_eq!(parse(&["--minutes=1440"]).unwrap(), request(86_400, &[]));
    for wrong in [
        &["--minutes"][..],
        &["--minutes", "0"],
        &["--minutes", "1441"],
        &["--seconds", "-5"],
        &["--seconds=x"],
        &["--minutes", "18446744073709551615"],
        &["--hours", "1"],
        &["-s", "1"],
    ] {
        assert!(matches!(parse(wrong), Err(Error::Usage(_))), "{wrong:?}");
    }
}

#[test]
fn wanted_targets_must_exist_and_none_means_all() {
    let all = || strings(&["frame", "group", "node"]);
    assert_eq!(choose(&[], all()).unwrap(), all());
    assert_eq!(choose(&strings(&["node", "frame"]), all()).unwrap(), ["frame", "node"]);
    let error = choose(&strings(&["node", "nodes"]), all()).unwrap_err().to_string();
    assert_eq!(error, "there is no fuzz target nodes: use some of frame, group, node");
}

const GOOD: &str = "\
INFO: Running with entropic power schedule (0xFF, 100).
INFO:      276 files found in /somewhere/corpus/frame
#2\tpulse  cov: 100 ft: 120 corp: 1/1b exec/s: 0 rss: 40Mb
#277\tINITED cov: 511 ft: 1511 corp: 270/15Kb exec/s: 0 rss: 50Mb
#4096\tNEW    cov: 512 ft: 1512 corp: 271/15Kb lim: 120 exec/s: 2048 rss: 60Mb L: 70/70 MS: 1 ChangeBit-
#109540\tDONE   cov: 512 ft: 1530 corp: 299/17Kb lim: 120 exec/s: 6846 rss: 145Mb
Done 109540 runs in 16 second(s)
stat::number_of_executed_units: 109540
stat::average_exec_per_sec:     6846
stat::new_units_added:          151
";

const BAD: &str = "\
#25\tINITED cov: 511 ft: 1511 corp: 24/15Kb exec/s: 0 rss: 50Mb
#4096\tNEW    cov: 512 ft: 1512 corp: 31/15Kb lim: 120 exec/s: 2048 rss: 60Mb L: 70/70 MS: 1 ChangeBit-

thread '<unnamed>' (8173) panicked at fuzz_targets/group.rs:33:9:
settled at 29.093830 s: 0 masters
      0.000000  n0  starts
==8173== ERROR: libFuzzer: deadly signal
SUMMARY: libFuzzer: deadly signal
artifact_prefix='/src/fuzz/artifacts/group/'; Test unit written to /src/fuzz/artifacts/group/crash-b77dca
stat::number_of_executed_units: 12134
stat::average_exec_per_sec:     228
";

#[test]
fn a_good_log_is_summed_up() {
    let expected = Summary {
        executions: Some(109_540),
        per_second: Some(6846),
        corpus: Some((270, 299)),
        reproducer: None,
        reason: None,
    };
    assert_eq!(log::summarise(GOOD), expected);
}

#[test]
fn a_bad_log_yields_the_input_and_the_reason() {
    let summary = log::summarise(BAD);
    assert_eq!(summary.reproducer.as_deref(), Some("/src/fuzz/artifacts/group/crash-b77dca"));
    assert_eq!(summary.reason.as_deref(), Some("fuzz_targets/group.rs:33:9: settled at 29.093830 s: 0 masters"));
    assert_eq!(summary.corpus, Some((24, 31)));
    let hang = log::summarise("ALARM: working on the last Unit for 21 seconds\nSUMMARY: libFuzzer: timeout\n");
    assert_eq!(hang.reason.as_deref(), Some("SUMMARY: libFuzzer: timeout"));
}

#[test]
fn the_complaint_says_how_to_repeat_it() {
    let log = PathBuf::from("/src/target/fuzz/group.log");
    let run = Run { target: "group".into(), held: false, summary: log::summarise(BAD), log };
    let text = complaint(&run);
    assert!(text.starts_with("group: fuzz_targets/group.rs:33:9: settled at"), "{text}");
    let again = "  to repeat it: cargo +nightly fuzz run group /src/fuzz/artifacts/group/crash-b77dca\n";
    assert!(text.contains(again), "{text}");
    assert!(text.ends_with("  the log:      /src/target/fuzz/group.log\n"), "{text}");
    let silent = Run { summary: log::summarise(""), ..run };
    assert!(complaint(&silent).starts_with("group: it ended without a reason\n"));
}

#[test]
fn the_table_has_a_line_for_each_target() {
    let (good, bad, none) = (log::summarise(GOOD), log::summarise(BAD), log::summarise(""));
    let runs = [("frame", &good, true), ("group", &bad, false), ("password_file", &none, false)];
    assert_eq!(
        log::table(runs.into_iter()),
        "target            executions   exec/s          corpus  result\n\
         frame                 109540     6846      270 to 299  ok\n\
         group                  12134      228        24 to 31  FAILED\n\
         password_file              ?        ?               ?  FAILED\n"
    );
}

#[test]
fn results_keep_the_order_of_the_targets_and_errors_are_not_lost() {
    let run = |target: String| Ok(Run { target, held: true, summary: Summary::default(), log: PathBuf::new() });
    let names = strings(&["a", "b", "c", "d", "e"]);
    let runs = side_by_side(names.clone(), run).unwrap();
    assert_eq!(runs.iter().map(|run| run.target.clone()).collect::<Vec<_>>(), names);
    let fails_at_c = |target: String| if target == "c" { Err(io::ErrorKind::StorageFull.into()) } else { run(target) };
    assert!(matches!(side_by_side(names, fails_at_c), Err(Error::Io(_))));
}
