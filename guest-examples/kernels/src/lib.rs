//! Four ways to keep a CPU busy: a loop, recursion of two kinds, and SHA-256.
//!
//! They know of no runtime, so that the benchmarks can run the same code as a guest and natively.
//! What they return depends on all that they did.

use sha2::{Digest, Sha256};

/// What the loop writes to: it fits into the first cache.
const WORDS: usize = 2_048;

/// What is hashed, over and over.
const BLOCK_BYTES: usize = 1 << 16;

/// Writes a random word to a random place, so many times.
pub fn scatter(rounds: u64) -> u64 {
    let mut words = [0_u64; WORDS];
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::indexing_slicing,
            reason = "the low bits name a place, and the remainder is one"
        )]
        {
            words[random as usize % WORDS] ^= random;
        }
    }
    words.iter().fold(random, |all, word| all ^ word)
}

/// The n-th number of Fibonacci, by two calls for each that is not one of the first two.
pub fn fibonacci(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    fibonacci(n - 1) + fibonacci(n - 2)
}

/// Goes through a binary tree of this depth. Neither of its two calls is the last thing that it does,
/// and a difference can't be summed up on the way, so that no compiler makes a loop of them.
pub fn tree(depth: u64) -> u64 {
    fn walk(depth: u64, seed: u64) -> u64 {
        if depth == 0 {
            return seed;
        }
        let left = walk(depth - 1, seed.rotate_left(5));
        let right = walk(depth - 1, seed ^ left);
        left.rotate_left(9).wrapping_sub(right)
    }
    walk(depth, 0x9e37_79b9_7f4a_7c15)
}

/// The first eight bytes of the SHA-256 of so many bytes, in blocks of 64 KiB.
pub fn sha256(bytes: u64) -> u64 {
    let block: Vec<u8> = (0..=u8::MAX).cycle().take(BLOCK_BYTES).collect();
    let mut hash = Sha256::new();
    for _ in 0..bytes / BLOCK_BYTES as u64 {
        hash.update(&block);
    }
    let hash: [u8; 32] = hash.finalize().into();
    let (first, _) = hash.as_chunks();
    first.first().copied().map_or(0, u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_do_their_work() {
        assert_eq!(fibonacci(20), 6_765);
        assert_ne!(tree(10), tree(11));
        assert_ne!(scatter(1_000), scatter(1_001));
        // By another implementation.
        assert_eq!(sha256(1 << 16), 0x7dac_a209_5d04_3826);
    }
}
