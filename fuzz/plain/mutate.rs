//! Inputs made of others: by bytes, by pieces of two, and by words that mean something.

use std::collections::HashSet;
use std::path::Path;
use std::{fs, io};

/// The most bytes of an input.
const BYTES_MAX: usize = 256 << 10;

/// The most inputs that are kept.
const KEPT_MAX: usize = 4_096;

/// What a stranger would try.
const WORDS: [&str; 40] = [
    "{", "}", "[", "]", "\"", ":", ",", "null", "true", "-1", "0.5", "1e999", "18446744073709551616",
    "\\ud800", "\\u0000", "\u{202e}", "\"$ref\":\"#\"", "\"$ref\":\"#/$defs/a\"", "\"$defs\":{\"a\":",
    "\"allOf\":[", "\"anyOf\":[", "\"not\":", "\"pattern\":\"(a*)*b\"", "\"pattern\":\"a{1000}{1000}\"",
    "\"unevaluatedProperties\":false", "\"$dynamicRef\":\"#x\"", "\"type\":\"object\"", "\"properties\":",
    "tasks/get", "tools/call", "\"_meta\":{", "\"taskId\":", "\"cursor\":", "=?base64?", "[[keys]]\n",
    "[limits]\n", "= \"", "99999999999999999999h", "1d", "\n",
];

/// Inputs that had an outcome of their own.
pub(crate) struct Corpus {
    kept: Vec<Vec<u8>>,
    /// How many of the seeds have been run.
    run: usize,
    seeds: usize,
    outcomes: HashSet<String>,
    random: fastrand::Rng,
}

impl Corpus {
    pub(crate) fn new(seeds: &Path, seed: u64) -> io::Result<Self> {
        let mut paths = fs::read_dir(seeds)?
            .map(|entry| Ok(entry?.path()))
            .collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        let mut kept = vec![Vec::new()];
        for path in paths {
            kept.push(fs::read(path)?);
        }
        Ok(Self {
            run: 0,
            seeds: kept.len(),
            kept,
            outcomes: HashSet::new(),
            random: fastrand::Rng::with_seed(seed),
        })
    }

    /// The next input: every seed, and then, while there `is_time`, what is made of those kept.
    pub(crate) fn next(&mut self, is_time: bool) -> Option<Vec<u8>> {
        if self.run < self.seeds {
            self.run += 1;
            return self.kept.get(self.run - 1).cloned();
        }
        is_time.then(|| self.mutated())
    }

    pub(crate) fn ran(&mut self, input: Vec<u8>, outcome: String) {
        if self.outcomes.insert(outcome) && self.kept.len() < KEPT_MAX {
            self.kept.push(input);
        }
    }

    pub(crate) fn outcomes(&self) -> usize {
        self.outcomes.len()
    }

    fn any(&mut self) -> Vec<u8> {
        let place = self.random.usize(..self.kept.len());
        self.kept[place].clone()
    }

    fn mutated(&mut self) -> Vec<u8> {
        let mut input = self.any();
        for _ in 0..self.random.usize(1..=6) {
            self.mutate(&mut input);
        }
        input.truncate(BYTES_MAX);
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let random = &mut self.random;
        let at = random.usize(..=input.len());
        let to = random.usize(at..=input.len());
        let to = to.min(at + 64);
        match random.u8(..9) {
            0 => {
                input.drain(at..to);
            }
            1 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            2 if at < input.len() => input[at] = random.u8(..),
            3 | 4 => {
                let word = WORDS[random.usize(..WORDS.len())];
                input.splice(at..at, word.bytes());
            }
            5 => {
                let word = WORDS[random.usize(..WORDS.len())];
                input.splice(at..to, word.bytes());
            }
            // The same again, many times: what is quadratic, or deep, shows.
            6 => {
                let piece = input[at..to].to_vec();
                let count = 1 << random.u32(..12);
                if piece.len() * count + input.len() <= BYTES_MAX {
                    input.splice(at..at, piece.repeat(count));
                }
            }
            7 => {
                let other = self.any();
                let from = self.random.usize(..=other.len());
                let until = self.random.usize(from..=other.len());
                input.splice(at..to, other[from..until].iter().copied());
            }
            _ => {
                let piece = input[at..to].to_vec();
                let place = random.usize(..=input.len());
                input.splice(place..place, piece);
            }
        }
    }
}
