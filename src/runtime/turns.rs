//! Queues of several who take turns.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// What waits, first in first out for each of those who wait, of whom each in turn gets one.
pub(super) struct Turns<K, T> {
    queues: HashMap<K, VecDeque<T>>,
    /// Whose turn it is, of those who have something waiting.
    order: VecDeque<K>,
}

impl<K, T> Default for Turns<K, T> {
    fn default() -> Self {
        Self {
            queues: HashMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Hash + Eq + Clone, T> Turns<K, T> {
    pub(super) fn push(&mut self, whose: &K, item: T) {
        if let Some(queue) = self.queues.get_mut(whose) {
            queue.push_back(item);
            return;
        }
        self.queues.insert(whose.clone(), VecDeque::from([item]));
        self.order.push_back(whose.clone());
    }

    /// What is next.
    pub(super) fn peek(&self) -> Option<&T> {
        self.queues.get(self.order.front()?)?.front()
    }

    /// Takes out what is next. Whoever it belonged to comes last then.
    pub(super) fn pop(&mut self) -> Option<T> {
        let whose = self.order.pop_front()?;
        let queue = self.queues.get_mut(&whose)?;
        let item = queue.pop_front();
        if queue.is_empty() {
            self.queues.remove(&whose);
        } else {
            self.order.push_back(whose);
        }
        item
    }

    /// Takes out the first that `is_it`, wherever it stands among what waits for `whose` turn.
    pub(super) fn remove(&mut self, whose: &K, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let queue = self.queues.get_mut(whose)?;
        let item = queue.remove(queue.iter().position(is_it)?);
        if queue.is_empty() {
            self.queues.remove(whose);
            self.order.retain(|other| other != whose);
        }
        item
    }

    pub(super) fn any(&self, whose: &K, is_it: impl Fn(&T) -> bool) -> bool {
        let queue = self.queues.get(whose);
        queue.is_some_and(|queue| queue.iter().any(is_it))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_in_turn_gets_one() {
        let mut turns = Turns::default();
        for (whose, item) in [("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)] {
            turns.push(&whose, item);
        }
        assert_eq!(turns.remove(&"c", |item| *item == 5), Some(5));
        assert_eq!(turns.remove(&"c", |item| *item == 5), None);
        assert!(turns.any(&"b", |item| *item == 6));
        assert_eq!(turns.peek(), Some(&1));
        let mut order = Vec::new();
        while let Some(item) = turns.pop() {
            order.push(item);
        }
        assert_eq!(order, [1, 4, 2, 6, 3]);
        assert!(turns.is_empty() && turns.queues.is_empty());
    }
}
