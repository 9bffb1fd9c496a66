//! Compares two sequences and says where they part.

use std::fmt::Debug;

/// Lines shown before and after the first difference.
const AROUND: usize = 6;

/// Fails with the first difference and what stands around it.
pub fn assert_same<E: PartialEq + Debug>(title: &str, expected: &[E], traced: &[E]) {
    if expected == traced {
        return;
    }
    let at = expected
        .iter()
        .zip(traced)
        .take_while(|(a, b)| a == b)
        .count();
    panic!(
        "{title}: expected {} events, traced {}; they differ from number {at} on\nexpected:\n{}traced:\n{}",
        expected.len(),
        traced.len(),
        around(expected, at),
        around(traced, at)
    );
}

/// The items around one, the one marked.
pub fn around<E: Debug>(items: &[E], at: usize) -> String {
    let from = at.saturating_sub(AROUND);
    let shown = items.iter().enumerate().skip(from).take(at - from + AROUND);
    shown.map(|(index, item)| line(index, at, item)).collect()
}

fn line<E: Debug>(index: usize, at: usize, item: &E) -> String {
    let text: String = format!("{item:?}").chars().take(300).collect();
    let arrow = if index == at { "->" } else { "  " };
    format!("{arrow} {index:6} {text}\n")
}

#[test]
fn the_first_difference_is_shown() {
    let result = std::panic::catch_unwind(|| assert_same("title", &[1, 2, 3], &[1, 5, 3]));
    let message = *result.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("from number 1 on"), "{message}");
    assert!(
        message.contains("->      1 2\n") && message.contains("->      1 5\n"),
        "{message}"
    );
}
