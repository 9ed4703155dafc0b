//! The explorer's choices: every run is the list of what was chosen at each of its points, so all
//! runs can be walked through one after the other, and any of them again.

/// A small generator of random numbers (splitmix64), so that a seed gives the same runs anywhere.
#[derive(Clone)]
pub(crate) struct Random {
    state: u64,
    /// How many of a hundred choices are not the first.
    percent: usize,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with((seed, 8))
    }

    /// One that takes another choice than the first so many times of a hundred.
    pub(crate) fn with((state, percent): (u64, usize)) -> Self {
        Self { state, percent }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    /// Mostly 0; one of the other choices now and then.
    fn seldom(&mut self, count: usize) -> usize {
        if count > 1 && self.below(100) < self.percent {
            1 + self.below(count - 1)
        } else {
            0
        }
    }
}

/// What chooses in one run.
#[derive(Default)]
pub(crate) struct Chooser {
    /// What is chosen first; after it the first choice, or a random one.
    prefix: Vec<usize>,
    random: Option<Random>,
    /// What was chosen, and out of how many.
    trace: Vec<(usize, usize)>,
}

impl Chooser {
    /// One that takes these choices, and the first at every point after them.
    pub(crate) fn replay(prefix: Vec<usize>) -> Self {
        Self {
            prefix,
            ..Self::default()
        }
    }

    /// One that mostly takes the first choice, and a random other one now and then.
    pub(crate) fn random(random: Random) -> Self {
        Self {
            random: Some(random),
            ..Self::default()
        }
    }

    /// One of `count` choices, from 0.
    pub(crate) fn choose(&mut self, count: usize) -> usize {
        let choice = match (self.prefix.get(self.trace.len()), &mut self.random) {
            (Some(choice), _) => *choice,
            (None, Some(random)) => random.seldom(count),
            (None, None) => 0,
        };
        self.trace.push((choice, count));
        choice
    }

    /// What was chosen.
    pub(crate) fn taken(&self) -> Vec<usize> {
        self.trace.iter().map(|(choice, _)| *choice).collect()
    }

    /// The choices that lead to the next run that was not walked through yet.
    pub(crate) fn next(mut self) -> Option<Self> {
        while let Some((choice, count)) = self.trace.pop() {
            if choice + 1 < count {
                let mut prefix = self.taken();
                prefix.push(choice + 1);
                return Some(Self::replay(prefix));
            }
        }
        None
    }

    /// The generator, to go on with in the next run.
    pub(crate) fn into_random(self) -> Option<Random> {
        self.random
    }
}
