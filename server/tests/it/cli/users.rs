//! `wayfare user`: who may log in, and how passwords come in.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::support::{Finished, Place};

const PASSWORD: &str = "correct horse, battery";

fn with_password(place: &Place, args: &[&str], password: &str) -> Finished {
    Finished::of(place.command(args).env("WAYFARE_PASSWORD", password))
}

/// The files of the list of users, and what is in them.
fn list(place: &Place) -> String {
    let files = place.files("store/_access-list", "");
    assert_eq!(files.len(), 1, "{files:?}");
    String::from_utf8(place.read(&files[0])).unwrap()
}

#[test]
fn users_are_added_listed_changed_and_removed() {
    let place = Place::with_three_rows();
    assert_eq!(place.ok(&["user", "list"]), "no users\n");
    let added = with_password(&place, &["user", "add", "ana", "--role", "reader"], PASSWORD);
    assert_eq!(added.succeeded(&[]), "added user ana, role reader\n");
    place.write("secret.txt", format!("{PASSWORD}\r\n"));
    place.ok(&["user", "add", "ben", "--role", "admin", "--password-file", "secret.txt"]);
    assert_eq!(place.ok(&["user", "list"]), "reader  ana\nadmin   ben\n");
    let before = list(&place);
    assert!(before.contains("SCRAM-SHA-256$") && !before.contains("horse"), "{before}");

    let again = with_password(&place, &["user", "add", "ana", "--role", "admin"], PASSWORD);
    again.assert_refused(&["\"ana\"", "exists"]);
    with_password(&place, &["user", "password", "ana"], "another password").succeeded(&[]);
    let after = list(&place);
    assert_ne!(before, after);
    let verifier = before.split('"').find(|part| part.starts_with("SCRAM-SHA-256$")).unwrap();
    assert!(!after.contains(verifier), "the old verifier is gone");

    place.ok(&["user", "remove", "ana"]);
    assert_eq!(place.ok(&["user", "list"]), "admin   ben\n");
    place.run(&["user", "remove", "ana"]).assert_refused(&["\"ana\""]);
    with_password(&place, &["user", "password", "ana"], PASSWORD).assert_refused(&["\"ana\""]);
    assert_eq!(place.touchpoints("store"), 3);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_list() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with_three_rows();
    // As somebody else may have made it.
    std::fs::create_dir(place.path("store/_access-list")).unwrap();
    for name in ["ana", "ben"] {
        with_password(&place, &["user", "add", name, "--role", "loader"], PASSWORD).succeeded(&[]);
        let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(place.path("store/_access-list")), 0o700);
        for file in place.files("store/_access-list", "") {
            assert_eq!(mode(file), 0o600);
        }
    }
}

#[test]
fn a_password_is_never_an_argument_and_never_weak() {
    let place = Place::with_three_rows();
    let add = ["user", "add", "ana", "--role", "reader"];
    place.run(&[&add[..], &["--password", PASSWORD]].concat()).assert_usage("--password");
    place.run(&[&add[..], &[PASSWORD]].concat()).assert_usage("unexpected argument");
    place.run(&["user", "add", "ana"]).assert_usage("--role");
    place.run(&["user", "add", "ana", "--role", "root"]).assert_usage("reader, loader and admin");
    with_password(&place, &add, "short").assert_refused(&["8 characters"]);
    with_password(&place, &["user", "add", "", "--role", "reader"], PASSWORD).assert_refused(&["empty"]);
    let missing = [&add[..], &["--password-file", "missing.txt"]].concat();
    place.run(&missing).assert_refused(&["missing.txt"]);
    assert_eq!(place.ok(&["user", "list"]), "no users\n");
}

#[test]
fn a_password_can_come_from_standard_input() {
    let place = Place::with_three_rows();
    let args = ["user", "add", "ana", "--role", "reader", "--password-file", "-"];
    let mut command = place.command(&args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(place.ok(&["user", "list"]), "reader  ana\n");
}

/// On a terminal, which `script` of util-linux provides.
#[test]
fn a_password_is_asked_for_twice_and_not_shown() {
    let place = Place::with_three_rows();
    let add = |typed: &str| {
        let words = format!("{} --store store user add ana --role reader", env!("CARGO_BIN_EXE_wayfare"));
        let mut command = Command::new("script");
        command.args(["-q", "-e", "-c", &words, "/dev/null"]).current_dir(place.path(""));
        command.env_remove("WAYFARE_PASSWORD").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("script, which every Debian has");
        let mut stdin = child.stdin.take().unwrap();
        for line in typed.lines() {
            // What is typed before the question may be thrown away with the echo.
            std::thread::sleep(std::time::Duration::from_millis(700));
            stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
            stdin.flush().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (ok, said) = add(&format!("{PASSWORD}\nanother password\n"));
    assert!(!ok && said.contains("the passwords differ"), "{said}");
    let (ok, said) = add(&format!("{PASSWORD}\n{PASSWORD}\n"));
    assert!(ok && said.contains("added user ana"), "{said}");
    assert!(said.contains("Password: ") && !said.contains("horse"), "{said}");
    assert_eq!(place.ok(&["user", "list"]), "reader  ana\n");
}
