use super::*;

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

fn peer(uid: u32, groups: &[u32]) -> local::Peer {
    local::Peer { uid, groups: groups.to_vec() }
}

#[test]
fn root_and_the_owner_change_members_of_the_group_read_and_others_do_nothing() {
    let mut control = Control::default();
    control.listen(Terms { owner: 1000, group: Some(990), ..Terms::default() }, None);
    assert_eq!(control.rights_of(&peer(0, &[])), Rights::Change);
    assert_eq!(control.rights_of(&peer(1000, &[])), Rights::Change);
    assert_eq!(control.rights_of(&peer(1001, &[5, 990])), Rights::Read);
    assert_eq!(control.rights_of(&peer(1001, &[0, 5])), Rights::Nothing);
    control.listen(Terms { owner: 0, ..Terms::default() }, None);
    assert_eq!(control.rights_of(&peer(1000, &[990])), Rights::Nothing);
}

/// As many clients as there can be, with these rights, the first one the oldest.
fn crowd(rights: Rights) -> Control {
    let mut control = Control::default();
    for number in 0..MOST_CLIENTS as u64 {
        let (stream, _) = UnixStream::pair().unwrap();
        control.clients.push(Client::new(at(100 + number), stream, rights));
    }
    control
}

#[test]
fn who_may_do_more_has_a_place_and_others_wait_until_somebody_is_idle() {
    let mut control = crowd(Rights::Read);
    assert!(!control.make_room(at(105), Rights::Read), "all are busy");
    assert!(control.make_room(at(105), Rights::Change));
    assert_eq!((control.clients.len(), control.clients[0].last_active), (MOST_CLIENTS - 1, at(101)));
    let mut control = crowd(Rights::Change);
    assert!(!control.make_room(at(109), Rights::Change));
    assert!(control.make_room(at(110), Rights::Read), "the first one has not asked for anything for a while");
    for client in &mut control.clients {
        client.job = Some(Job::Events { host: None, cursor: 0, last: None });
    }
    assert!(!control.make_room(at(1000), Rights::Read), "one who follows is not idle");
}

#[test]
fn a_client_that_does_not_read_is_given_up_and_one_that_does_is_not() {
    let (stream, mut other) = UnixStream::pair().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut client = Client::new(at(0), stream, Rights::Read);
    client.reply(at(0), &vec![b'x'; 4 << 20]);
    assert_eq!(client.write(at(0)).unwrap(), Written::Some);
    client.has_work = false;
    assert!(client.deadline(at(0)).is_some_and(|deadline| deadline > at(0) && deadline < at(1)));
    assert_eq!(client.write(at(9)).unwrap(), Written::Some);
    let mut some = vec![0; 1 << 16];
    assert!(std::io::Read::read(&mut other, &mut some).unwrap() > 0);
    assert_eq!(client.write(at(11)).unwrap(), Written::Some, "it has read");
    assert!(client.write(at(22)).is_err());
}

#[test]
fn a_request_without_end_is_not_kept() {
    let (stream, mut other) = UnixStream::pair().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut client = Client::new(at(0), stream, Rights::Read);
    client.job = Some(Job::Reload { asked: at(0) });
    let mut said = 0;
    let is_gone = (0..100).any(|_| {
        said += std::io::Write::write(&mut other, &[b'x'; 4096]).unwrap();
        client.is_readable = true;
        client.read().is_err()
    });
    assert!(is_gone && said < 32 * 1024, "{said}");
}
