//! What a question is called outside, where it stays known when the names of a stretch are used
//! again.

use std::sync::Arc;

use super::super::{Attempt, Question, Record};

impl Attempt {
    /// The name by which a question is known outside.
    pub fn question_key(record: &Record, name: &str) -> Arc<str> {
        let mut key = String::from(name);
        if record.stretch > 0 {
            key.push_str(&format!("@{}", record.stretch));
        }
        if record.generation > 0 {
            key.push_str(&format!("!{}", record.generation));
        }
        key.into()
    }

    /// The questions called `open`, as the record keeps them while the task waits.
    pub fn questions(
        record: &Record,
        open: &[Arc<str>],
        asked: impl IntoIterator<Item = (Arc<str>, Arc<str>, Arc<str>)>,
    ) -> Vec<Question> {
        let asked = asked.into_iter().filter(|(name, ..)| open.contains(name));
        asked
            .map(|(name, message, schema)| Question {
                key: Self::question_key(record, &name),
                name,
                message,
                schema,
            })
            .collect()
    }
}
