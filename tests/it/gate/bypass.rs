//! Hundreds of known ways around a gate, each tried for real.

use super::world::{CANARY, Outcome};
use super::{World, tell};

const ATTEMPTS: &str = include_str!("../../fixtures/sql/bypass.txt");

/// The ideas without their walls: what only reads, so that all can be tried on one engine.
const READING: [&str; 3] = ["files, scalar", "other databases and tables", "resources out of reach"];

/// The attempts with the idea behind each.
pub(super) fn attempts() -> Vec<(&'static str, String)> {
    let mut idea = "";
    let mut attempts = Vec::new();
    for line in ATTEMPTS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        match line.strip_prefix("== ") {
            Some(title) => idea = title,
            None => attempts.push((idea, unescaped(line))),
        }
    }
    attempts
}

/// `\n`, `\r`, `\t` and `\\` as the characters that they stand for.
fn unescaped(line: &str) -> String {
    let mut text = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => text.push(match characters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            }),
            (plain, false) => text.push(plain),
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attempt_gets_past_the_gate() {
    let world = World::new().await;
    let before = world.files();
    let attempts = attempts();
    assert!(attempts.len() >= 300, "{} attempts", attempts.len());
    let (mut refused, mut seen) = (0, Vec::new());
    for (idea, attempt) in &attempts {
        let outcome = world.attempt(&world.named(attempt)).await;
        refused += usize::from(matches!(outcome, Outcome::Refused(_)));
        if outcome.text().contains(CANARY) {
            seen.push(format!("{idea}: {attempt}\n    {}", outcome.text()));
        }
    }
    tell(format_args!("{} attempts, {refused} refused by the gate", attempts.len()));
    assert!(seen.is_empty(), "canaries were seen:\n{}", seen.join("\n"));
    assert_eq!(world.connections(), 0, "somebody reached the port");
    assert_eq!(world.files(), before, "a file was written");
    assert_eq!(std::fs::read_to_string(&world.file).unwrap(), CANARY);
    assert!(refused > attempts.len() / 2);
}

/// Whatever the caller's text may not do, nothing that passes reads a table out of reach.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_gate_the_same_attempts_see_the_canaries() {
    let world = World::new().await;
    let mut seen = 0;
    for (idea, attempt) in attempts() {
        if READING.contains(&idea) && world.unguarded(&world.named(&attempt)).await.text().contains(CANARY) {
            seen += 1;
        }
    }
    tell(format_args!("{seen} attempts see a canary without the gate"));
    assert!(seen >= 60, "only {seen} attempts see anything at all");
    world.unguarded(&world.named("SELECT * FROM url('http://127.0.0.1:{port}/', 'LineAsString')")).await;
    assert!(world.connections() > 0, "the port notices nobody");
    let rows = world.unguarded("SELECT * FROM filtered_rows").await;
    assert!(rows.text().contains(CANARY));
}
