//! How values are written into the journal: as JSON, so that a person can read a task's
//! journal, and a newer version of a tool can still read what an older one wrote.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Error, Result};

/// What a step depends on. The same value is always the same text, whatever order a map
/// has, and nothing (`&()`) is no text at all.
pub(crate) fn input<I: Serialize + ?Sized>(value: &I) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(value).map_err(Error::failed)?;
    if value == Value::Null {
        return Ok(Vec::new());
    }
    value.sort_all_objects();
    serde_json::to_vec(&value).map_err(Error::failed)
}

pub(crate) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(Error::failed)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(Error::failed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn the_same_input_is_the_same_text() {
        let text = |keys: [&str; 3]| {
            input(
                &keys
                    .into_iter()
                    .map(|key| (key, 1))
                    .collect::<HashMap<_, _>>(),
            )
            .unwrap()
        };
        assert_eq!(text(["a", "b", "c"]), text(["c", "b", "a"]));
        assert_eq!(text(["a", "b", "c"]), br#"{"a":1,"b":1,"c":1}"#);
        assert!(input(&()).unwrap().is_empty());
    }

    #[test]
    fn an_output_is_read_back() {
        let bytes = encode(&(1, "two")).unwrap();
        assert_eq!(
            decode::<(u8, String)>(&bytes).unwrap(),
            (1, "two".to_owned())
        );
        assert!(decode::<Vec<u8>>(&bytes).is_err());
    }
}
