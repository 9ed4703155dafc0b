//! `docs/limits.md` says what the code does: its table is the table of `stepwell::limit`.

use std::fmt::Write as _;

use stepwell::limit::{self, Limit, Size, Unit, format_duration};

#[test]
fn the_table_is_that_of_the_code() {
    let page = include_str!("../docs/limits.md");
    let expected = table();
    assert!(
        page.contains(&expected),
        "docs/limits.md must hold exactly this table:\n\n{expected}"
    );
}

#[test]
fn every_fixed_bound_is_stated() {
    let page = include_str!("../docs/limits.md");
    let bounds = [
        ("name of a step", limit::NAME_BYTES_MAX.to_string()),
        ("message", limit::MESSAGE_BYTES_MAX.to_string()),
        (
            "name that a client",
            limit::CHOSEN_NAME_BYTES_MAX.to_string(),
        ),
        ("a note of", grouped(limit::NOTE_BYTES_MAX as u64)),
        ("notes of one", grouped(limit::NOTES_MAX as u64)),
        ("notes of one", Size(limit::NOTES_BYTES_MAX).to_string()),
        ("text in an entry", limit::AUDIT_TEXT_BYTES_MAX.to_string()),
        ("restores", limit::RESTORES_MAX.to_string()),
        ("older checkpoints", limit::TOOL_CHECKPOINTS_MAX.to_string()),
        ("retries", limit::RETRIES_MAX.to_string()),
        ("attempts in a row", limit::BARREN_ATTEMPTS_MAX.to_string()),
    ];
    for (what, bound) in bounds {
        let line = page
            .lines()
            .find(|line| line.contains(what) && line.contains(&bound));
        assert!(
            line.is_some(),
            "docs/limits.md does not say that `{what}` is {bound}"
        );
    }
}

fn table() -> String {
    let mut table =
        String::from("| limit | default | least | most | past it |\n|---|---|---|---|---|\n");
    for limit in limit::ALL {
        let (default, min, max) = (
            amount(limit, limit.default),
            amount(limit, limit.min),
            amount(limit, limit.max),
        );
        let _ = writeln!(
            table,
            "| `{}` | {default} | {min} | {max} | {} |",
            limit.name, limit.past
        );
    }
    table
}

fn amount(limit: &Limit, value: u64) -> String {
    match limit.unit {
        Unit::Fuel | Unit::Count => grouped(value),
        Unit::Bytes => Size(value).to_string(),
        Unit::Millis => format_duration(value),
    }
}

/// Digits in groups of three, as a page is read.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
