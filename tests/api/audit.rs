//! `stepwell audit`.

use rustix::process::Signal;
use serde_json::Value;

use crate::served::Served;

#[test]
fn the_audit_is_read_from_the_server_and_without_one() {
    let served = Served::new();
    let task = served.client.asks();
    let url = served.url();
    let export = served.house.ran(&["audit", "export"]);
    let numbers: Vec<_> = export
        .lines()
        .iter()
        .map(|line| line["number"].as_u64())
        .collect();
    assert!(numbers.len() >= 3 && numbers.is_sorted(), "{export:?}");
    let tail = served
        .house
        .ran(&["audit", "tail", "-n", "2", "--server", &url]);
    let newest: Vec<_> = export.out.lines().rev().take(2).collect();
    let tailed: Vec<_> = tail.out.lines().rev().collect();
    assert_eq!(tailed, newest, "the lines are the same to the byte");
    let after = numbers[1].unwrap().to_string();
    let rest = served.house.ran(&["audit", "export", "--after", &after]);
    assert_eq!(rest.out.lines().count(), numbers.len() - 2);

    let follow = served
        .house
        .start(&["audit", "tail", "--follow", "-n", "0"]);
    // Until it has looked once: what follows is what it is told.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let cancel = ["tasks", "cancel", &task, "--immediate", "--why", "enough"];
    assert_eq!(served.house.ran(&cancel).code, 0);
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    follow.signal(Signal::INT);
    let followed = follow.end();
    assert_eq!(followed.code, 130);
    let stops: Vec<Value> = followed.lines();
    assert!(
        stops.iter().any(|line| line["why"] == "enough"),
        "{followed:?}"
    );

    let (house, _) = served.end();
    let here = house.ran(&["audit", "export"]);
    assert!(here.out.starts_with(&export.out), "{here:?}");
    let refused = house.ran(&["audit", "tail", "--follow"]);
    assert_eq!(refused.code, 2, "{refused:?}");
}
