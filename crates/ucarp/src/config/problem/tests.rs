use super::*;

fn source(text: &str) -> Vec<Source<'_>> {
    vec![Source::new(Path::new("/etc/ucarp/ucarp.toml"), text, Vec::new())]
}

fn site(text: &str, part: &str) -> Site {
    let start = text.find(part).unwrap();
    Site::new(0, start..start + part.len())
}

fn rendered(text: &str, part: &str) -> (String, String) {
    let sources = source(text);
    let mut findings = Findings::new(&sources);
    findings.error(&site(text, part), "it is wrong").help("mend it").tell();
    let problems = findings.finish();
    let line = problems.iter().next().unwrap().to_string();
    (problems.to_string(), line)
}

#[test]
fn a_problem_has_its_line_with_a_caret_and_says_what_to_do() {
    let (text, line) = rendered("# first\nvhid = 300 # x\n", "300");
    let wanted = "\
error: it is wrong
 --> /etc/ucarp/ucarp.toml:2:8
  |
2 | vhid = 300 # x
  |        ^^^
  |
  = help: mend it

";
    assert_eq!(text, wanted);
    assert_eq!(line, "/etc/ucarp/ucarp.toml:2:8: it is wrong (mend it)");
}

#[test]
fn columns_are_characters_and_line_ends_of_windows_are_none() {
    let (text, line) = rendered("a = 1\r\nxparam = \"äöü\" # é\r\n", "# é");
    assert!(line.starts_with("/etc/ucarp/ucarp.toml:2:16: "), "{line}");
    assert!(text.contains("2 | xparam = \"äöü\" # é\n  |                ^^^\n"), "{text}");
}

#[test]
fn a_problem_of_several_lines_shows_the_first() {
    let (text, _) = rendered("up = [\n  1,\n  2]\n", "[\n  1,\n  2]");
    assert!(text.contains("1 | up = [\n  |      ^\n"), "{text}");
}

#[test]
fn a_problem_at_the_end_of_the_text_has_a_place() {
    let sources = source("a =");
    let mut findings = Findings::new(&sources);
    findings.error(&Site::new(0, 3..3), "it ends").tell();
    findings.error(&Site::new(0, 99..99), "it is beyond").tell();
    let problems = findings.finish();
    assert!(problems.iter().all(|problem| (problem.line(), problem.column()) == (Some(1), Some(4))));
}

#[test]
fn secrets_are_never_shown_and_the_caret_stays_right() {
    for (text, part, shown, caret) in [
        ("password = \"hidden hidden\" # x", "\"hidden hidden\"", "password = *** # x", "           ^^^"),
        ("password = \"hidden\" # x", "hid", "password = *** # x", "           ^^^"),
        ("password = \"hidden\" # x", "# x", "password = *** # x", "               ^^^"),
        ("w = { password = \"hidden\", vhid = 300 }", "300", "w = { password = ***, vhid = 300 }", &" ".repeat(29)),
        ("password = \"hidden\"", "password", "password = ***", "^^^^^^^^"),
    ] {
        let (rendered, line) = rendered(text, part);
        assert!(rendered.contains(&format!("1 | {shown}\n  | {caret}")), "{rendered}");
        assert!(!rendered.contains("hid") || text.contains("vhid"), "{rendered}");
        assert!(!line.contains("hidden"), "{line}");
    }
}

#[test]
fn a_line_in_the_middle_of_a_secret_is_hidden_too() {
    let text = "password = \"\"\"\nhidden\nhidden\"\"\" # x\n";
    let (rendered, _) = rendered(text, "\nhidden\nh");
    assert!(!rendered.contains("hidden"), "{rendered}");
    let sources = source(text);
    let mut findings = Findings::new(&sources);
    for start in 0..text.len() {
        findings.error(&Site::new(0, start..start + 1), "here").tell();
    }
    assert!(!findings.finish().to_string().contains("hidden"));
}

#[test]
fn problems_come_in_the_order_of_the_files_and_their_lines() {
    let text = "one\ntwo\n";
    let sources = vec![Source::new(Path::new("a"), text, Vec::new()), Source::new(Path::new("b"), text, Vec::new())];
    let mut findings = Findings::new(&sources);
    findings.warning(&Site::new(1, 0..3), "4").tell();
    findings.error(&Site::new(0, 4..7), "3").also(&Site::new(1, 0..3), "there").tell();
    findings.file_problem(Severity::Warning, Path::new("c"), "1");
    findings.warning(&Site::new(0, 0..3), "2").tell();
    assert!(findings.has_errors());
    let lines: Vec<String> = findings.finish().iter().map(Problem::to_string).collect();
    assert_eq!(lines, ["c: 1", "a:1:1: 2", "a:2:1: 3 (there: b:1:1)", "b:1:1: 4"]);
}

#[test]
fn a_message_cannot_forge_a_second_line() {
    let text = "a = 1";
    let sources = vec![Source::new(Path::new("/x\n/y"), text, Vec::new())];
    let mut findings = Findings::new(&sources);
    findings.error(&Site::new(0, 0..1), "bad\nerror: \u{1b}[31mforged").help("x\ny").tell();
    let line = findings.finish().iter().next().unwrap().to_string();
    assert_eq!(line, "/x\\n/y:1:1: bad\\nerror: \\u{1b}[31mforged (x\\ny)");
}

#[test]
fn too_many_problems_are_counted() {
    let text = "a = 1\n".repeat(1000);
    let sources = source(&text);
    let mut findings = Findings::new(&sources);
    for line in 0..1000 {
        findings.error(&Site::new(0, line * 6..line * 6 + 1), "bad").also(&Site::new(0, 0..1), "first").tell();
    }
    let problems = findings.finish();
    assert_eq!((problems.len(), problems.iter().count(), problems.is_empty()), (1000, MOST, false));
    assert!(problems.to_string().ends_with("... and 800 more problems\n\n"));
}

#[test]
fn colours_are_for_terminals() {
    let sources = source("a = 1");
    let mut findings = Findings::new(&sources);
    findings.error(&Site::new(0, 0..1), "bad").tell();
    let problems = findings.finish();
    assert!(!problems.render(false).contains('\u{1b}') && problems.render(true).contains('\u{1b}'));
}
