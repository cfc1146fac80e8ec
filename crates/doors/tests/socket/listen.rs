//! The socket's name, and who may use it.

use std::os::unix::fs::PermissionsExt;

use callgate_doors::socket::{Access, Listening, SocketError};

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn modes_are_as_asked_and_the_directory_cannot_be_listed() {
    for (access, expected) in [(Access::Owner, 0o600), (Access::Group, 0o660), (Access::Everyone, 0o666)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/run/gate.sock");
        let listening = Listening::bind(&path, access).unwrap();
        assert_eq!(mode(&path), expected);
        assert_eq!(mode(path.parent().unwrap()), 0o711);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left over");
        drop(listening);
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gate.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let live = Listening::bind(&path, Access::Group).unwrap();
    assert!(matches!(Listening::bind(&path, Access::Group), Err(SocketError::InUse(_))));
    // A successor's socket is left alone.
    std::fs::rename(&path, directory.path().join("old")).unwrap();
    let next = Listening::bind(&path, Access::Group).unwrap();
    drop(live);
    assert!(path.exists());
    drop(next);
    assert!(!path.exists());
}

#[tokio::test]
async fn what_others_could_replace_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gate.sock");
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(Listening::bind(&path, Access::Group), Err(SocketError::NotASocket(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    let open = directory.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Listening::bind(&open.join("s"), Access::Group), Err(SocketError::Exposed(_))));
    assert!(matches!(Listening::bind("gate.sock".as_ref(), Access::Group), Err(SocketError::NoDirectory(_))));
}
