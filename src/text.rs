//! Text from guests, made fit for a person, a terminal or a model.
//!
//! A guest writes what it likes: escape sequences that rewrite a terminal, bidirectional marks that
//! reorder a line, tag characters that only a model reads. What is passed on is bounded, and free
//! of those.

/// The text without control, bidirectional and invisible formatting characters, cut at a character
/// boundary after at most `bytes_max` bytes. Tabs and line breaks stay.
pub fn clean(text: &str, bytes_max: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(bytes_max));
    for c in text.chars().filter(|c| !is_hidden(*c)) {
        if clean.len() + c.len_utf8() > bytes_max {
            break;
        }
        clean.push(c);
    }
    clean
}

/// As [`clean`], and on one line.
pub fn clean_line(text: &str, bytes_max: usize) -> String {
    let text = clean(text, bytes_max);
    if text.contains(['\n', '\t']) {
        text.replace(['\n', '\t'], " ")
    } else {
        text
    }
}

fn is_hidden(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\n' | '\t');
    let format = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    control || format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rewrites_a_terminal_is_gone() {
        let check = |text: &str, expect: &str| assert_eq!(clean_line(text, 64), expect);
        check("\u{1b}]52;c;QQ\u{7}done", "]52;c;QQdone");
        check("a\u{202e}b\u{2066}c", "abc");
        check("one\r\ntwo", "one two");
        check("tag\u{e0041}", "tag");
        assert_eq!(clean("\u{e9}\u{e9}", 3), "\u{e9}");
    }
}
