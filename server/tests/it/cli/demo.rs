//! `wayfare demo --no-serve`: what a newcomer sees first.

use std::process::Command;

use wayfare_datasets::simple_shop;

#[test]
fn the_demo_answers_and_can_be_run_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let run = || {
        let output = Command::new(env!("CARGO_BIN_EXE_wayfare"))
            .args(["demo", "--no-serve"])
            .current_dir(dir.path())
            .env_remove("WAYFARE_STORE")
            .output()
            .expect("the demo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let first = run();
    let answers: serde_json::Value = serde_json::from_str(simple_shop::answers_json()).expect("answers");
    let sessions = &answers["sessions_30min"];
    let funnel = &answers["funnels_users"][0]["closed"];
    for answer in [
        format!("rows loaded                {}\n", simple_shop::ROWS),
        format!("| {} ", sessions["count_gap_gt"]),
        format!("| {}    | {} | {} ", funnel[0], funnel[1], funnel[2]),
    ] {
        let answer = answer.trim_end_matches(' ');
        assert!(first.contains(answer), "{answer:?} in {first}");
    }
    assert!(dir.path().join("wayfare-demo").is_dir(), "the demo's own store");
    assert!(run().contains("nothing new: table touchpoints is unchanged"));
}
