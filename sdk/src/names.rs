//! The numbers of repeated names: `row`, `row#2`, `row#3`. The runtime finds a step by its
//! name, so a loop that begins `row` for every row needs a name for each, and it has to be
//! the same one in every attempt. It must not know of the contract: the numbering is
//! decided by what the tool does alone.

use std::collections::{BTreeMap, BTreeSet};

/// The names given out since the newest checkpoint.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: BTreeMap<String, Numbers>,
}

/// A name that was given out. It goes back with [`Names::used`] or [`Names::abandoned`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    base: String,
    number: u32,
}

/// The numbers of one name.
#[derive(Debug, Default)]
struct Numbers {
    /// The highest that was given out: all below it are in use.
    last: u32,
    /// Those at work, with the input of their step.
    at_work: BTreeMap<u32, Vec<u8>>,
    /// Those that were left undone, by the input of their step.
    abandoned: BTreeMap<Vec<u8>, BTreeSet<u32>>,
}

impl Names {
    /// The lowest number of `base` that is not in use. An abandoned one is in use for
    /// every input but its own: what was begun under it may have taken effect.
    pub(crate) fn give(&mut self, base: &str, input: &[u8]) -> Name {
        let numbers = self.numbers.entry(base.to_owned()).or_default();
        let number = numbers.again(input).unwrap_or_else(|| numbers.next());
        numbers.at_work.insert(number, input.to_vec());
        Name {
            base: base.to_owned(),
            number,
        }
    }

    /// The step of this name is complete, now or in an attempt before.
    pub(crate) fn used(&mut self, name: &Name) {
        if let Some(numbers) = self.numbers.get_mut(&name.base) {
            numbers.at_work.remove(&name.number);
        }
    }

    /// The step of this name was left undone.
    pub(crate) fn abandoned(&mut self, name: &Name) {
        if let Some(numbers) = self.numbers.get_mut(&name.base)
            && let Some(input) = numbers.at_work.remove(&name.number)
        {
            numbers
                .abandoned
                .entry(input)
                .or_default()
                .insert(name.number);
        }
    }

    /// A checkpoint was saved or loaded: all names are free again, but for those at work.
    pub(crate) fn start_anew(&mut self) {
        self.numbers.retain(|_, numbers| {
            numbers.last = 0;
            numbers.abandoned.clear();
            !numbers.at_work.is_empty()
        });
    }
}

impl Numbers {
    /// The lowest number that was abandoned with this input.
    fn again(&mut self, input: &[u8]) -> Option<u32> {
        self.abandoned.get_mut(input)?.pop_first()
    }

    fn next(&mut self) -> u32 {
        self.last += 1;
        while self.at_work.contains_key(&self.last) {
            self.last += 1;
        }
        self.last
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.number {
            1 => f.write_str(&self.base),
            number => write!(f, "{}#{number}", self.base),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn give(names: &mut Names, input: &str) -> String {
        names.give("row", input.as_bytes()).to_string()
    }

    #[test]
    fn repeated_names_are_numbered() {
        let mut names = Names::default();
        assert_eq!(give(&mut names, ""), "row");
        assert_eq!(give(&mut names, ""), "row#2");
        assert_eq!(names.give("other", b"").to_string(), "other");
        assert_eq!(give(&mut names, "x"), "row#3");
    }

    #[test]
    fn an_abandoned_number_is_given_again_to_the_same_input_only() {
        let mut names = Names::default();
        let first = names.give("row", b"a");
        let second = names.give("row", b"b");
        names.abandoned(&first);
        names.used(&second);
        assert_eq!(give(&mut names, "c"), "row#3");
        assert_eq!(give(&mut names, "a"), "row");
        assert_eq!(give(&mut names, "a"), "row#4");
    }

    #[test]
    fn a_checkpoint_frees_all_names_but_those_at_work() {
        let mut names = Names::default();
        let first = names.give("row", b"a");
        names.give("row", b"b");
        names.used(&first);
        names.start_anew();
        assert_eq!(give(&mut names, "c"), "row");
        assert_eq!(give(&mut names, "d"), "row#3");
    }
}
