//! The socket in the data directory.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::house::House;
use crate::served::Served;

fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().ino()
}

#[test]
fn it_is_the_users_own_and_goes_with_the_server() {
    let served = Served::new();
    let path = served.house.path("data/socket");
    let there = std::fs::symlink_metadata(&path).unwrap();
    assert!(there.file_type().is_socket());
    assert_eq!(there.permissions().mode() & 0o777, 0o600);
    let first = inode(&path);
    let house = served.crash();
    assert_eq!(inode(&path), first, "nobody was left to remove it");
    let listed = house.ran(&["tasks", "list"]);
    assert_eq!(listed.code, 0, "a stale one is nobody's: {listed:?}");
    let served = Served::start(house);
    assert_eq!(served.by_socket().get("/tasks").status, 200);
    let (house, _) = served.end();
    assert!(!path.exists());
    assert_eq!(house.ran(&["tasks", "list"]).code, 0);
}

#[test]
fn who_comes_by_it_needs_no_key() {
    let (served, [key]) = Served::with_keys([("acme", "alice", "caller", "")]);
    assert_eq!(served.client.get("/tasks").status, 401);
    assert_eq!(served.client.with(&key).get("/tasks").status, 200);
    assert_eq!(served.by_socket().get("/tasks").status, 200);
    assert_eq!(served.by_socket().get("/audit").status, 200);
    served.end();
}

#[test]
fn where_there_can_be_none_that_is_said_and_the_rest_is_served() {
    let house = House::new();
    let long = "d".repeat(120);
    let config = "listen = \"127.0.0.1:0\"\n";
    std::fs::write(house.path("stepwell.toml"), config).unwrap();
    let served = Served::start_in(house, &long);
    assert_eq!(served.client.get("/tasks").status, 200);
    let (house, ran) = served.end();
    assert!(
        ran.err.contains("bytes, and a socket's may have 107"),
        "{ran:?}"
    );
    assert!(ran.err.contains("--server"), "{ran:?}");

    house.works();
    std::fs::write(house.path("data/socket"), "mine").unwrap();
    let (house, ran) = Served::start(house).end();
    assert!(ran.err.contains("is there, and is no socket"), "{ran:?}");
    assert_eq!(
        std::fs::read_to_string(house.path("data/socket")).unwrap(),
        "mine"
    );
}
