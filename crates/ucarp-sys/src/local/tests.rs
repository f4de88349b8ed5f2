use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_name_that_nobody_listens_at_is_taken_over_and_one_that_is_in_use_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run").join("socket");
    let first = Named::listen(&path, None).unwrap();
    assert_eq!((first.path(), mode(&path)), (path.as_path(), 0o660));
    assert_eq!(Named::listen(&path, None).unwrap_err().kind(), ErrorKind::AddrInUse);
    UnixStream::connect(&path).unwrap();
    // As after a process that was killed: the name is there, and nobody behind it.
    let held = first.try_clone().unwrap();
    std::mem::forget(first);
    assert_eq!(Named::listen(&path, None).unwrap_err().kind(), ErrorKind::AddrInUse, "it is still open elsewhere");
    drop(held);
    assert!(path.exists());
}

#[test]
fn what_a_killed_process_has_left_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "the name outlives the socket");
    let named = Named::listen(&path, None).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(named);
    assert!(!path.exists());
}

#[test]
fn what_is_no_socket_stays_and_so_does_the_socket_of_somebody_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    fs::write(&path, "precious").unwrap();
    assert_eq!(Named::listen(&path, None).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    let named = Named::listen(&path, None).unwrap();
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(named);
    assert!(path.exists(), "it is another one by now");
    drop(other);
    let long = directory.path().join("x".repeat(120));
    assert!(Named::listen(&long, None).is_err());
}

#[test]
fn the_other_end_is_known_with_all_its_groups() {
    let (one, _other) = UnixStream::pair().unwrap();
    let peer = peer(one.as_fd()).unwrap();
    assert_eq!(peer.uid, rustix::process::geteuid().as_raw());
    assert!(peer.groups.contains(&rustix::process::getegid().as_raw()));
    let own = rustix::process::getgroups().unwrap();
    assert!(own.iter().all(|group| peer.groups.contains(&group.as_raw())));
    assert!(super::peer(fs::File::open("/dev/null").unwrap().as_fd()).is_err());
}

#[test]
fn groups_are_found_by_their_whole_name() {
    let file = "root:x:0:\nucarp2:x:7:\nucarp:x:990:alice,bob\nbad:x\n";
    assert_eq!(entry_of(file, "ucarp"), Some(990));
    assert_eq!((entry_of(file, "uca"), entry_of(file, "bad")), (None, None));
}
