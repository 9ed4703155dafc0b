//! Questions to the task's owner. The type of the answer makes the schema of the form, and
//! several questions asked together are answered in the same shape: one by one answer, a
//! pair by a pair, a list by a list.

use std::marker::PhantomData;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::host::Answer as Wire;
use crate::{Error, Result, journal};

/// A question that is answered by a `T`: a struct whose fields are texts, numbers, booleans
/// or enums without fields, as MCP's elicitation has it.
///
/// Two of them, asked together:
///
/// ```no_run
/// # use stepwell_guest::{Answer, Question, Result, Task};
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Approval {
///     /// Whether the order may be sent.
///     approved: bool,
/// }
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Contact {
///     email: String,
/// }
///
/// # fn example(task: &Task) -> Result<()> {
/// let (approval, contact) = task.ask((
///     Question::<Approval>::new("approval", "May I send the order?"),
///     Question::<Contact>::new("contact", "Who is told about it?"),
/// ))?;
/// if let Answer::Accept(approval) = approval {
///     let _ = approval.approved;
/// }
/// # let _ = contact.accepted();
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Question<T> {
    name: String,
    message: String,
    answer: PhantomData<fn() -> T>,
}

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// It was answered.
    Accept(T),
    /// The owner said no.
    Decline,
    /// The question was dismissed.
    Cancel,
    /// Nobody can be asked.
    Unavailable,
}

/// One question, or several that are asked together: a tuple or a list of them.
pub trait Questions {
    /// The answers, in the shape of the questions.
    type Answers;

    #[doc(hidden)]
    fn asked(&self) -> Vec<Asked>;

    #[doc(hidden)]
    fn answered(self, answers: &mut dyn Iterator<Item = Wire>) -> Result<Self::Answers>;
}

/// A question without its type.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Asked {
    pub(crate) name: String,
    pub(crate) message: String,
    pub(crate) schema: String,
}

impl<T> Question<T> {
    /// `name` finds the question again in a later attempt, as a step's name does.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            message: message.into(),
            answer: PhantomData,
        }
    }
}

impl<T> Answer<T> {
    /// The answer, where there is one.
    pub fn accepted(self) -> Option<T> {
        match self {
            Self::Accept(answer) => Some(answer),
            Self::Decline | Self::Cancel | Self::Unavailable => None,
        }
    }
}

impl<T: DeserializeOwned + JsonSchema> Questions for Question<T> {
    type Answers = Answer<T>;

    fn asked(&self) -> Vec<Asked> {
        let mut schema = schema_of::<T>();
        flatten(&mut schema);
        vec![Asked {
            name: self.name.clone(),
            message: self.message.clone(),
            schema: schema.to_string(),
        }]
    }

    fn answered(self, answers: &mut dyn Iterator<Item = Wire>) -> Result<Answer<T>> {
        match answers.next() {
            Some(Wire::Accept(json)) => journal::decode(json.as_bytes())
                .map(Answer::Accept)
                .map_err(|error| error.context(format!("the answer to `{}`", self.name))),
            Some(Wire::Decline) => Ok(Answer::Decline),
            Some(Wire::Cancel) => Ok(Answer::Cancel),
            Some(Wire::Unavailable) => Ok(Answer::Unavailable),
            None => Err(Error::failed(format!("no answer to `{}`", self.name))),
        }
    }
}

impl<Q: Questions> Questions for Vec<Q> {
    type Answers = Vec<Q::Answers>;

    fn asked(&self) -> Vec<Asked> {
        self.iter().flat_map(Questions::asked).collect()
    }

    fn answered(self, answers: &mut dyn Iterator<Item = Wire>) -> Result<Self::Answers> {
        self.into_iter()
            .map(|question| question.answered(answers))
            .collect()
    }
}

/// A form has no definitions to refer to.
fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Leaves out what a form of MCP does not know: the type's name, the width of a number, and
/// that a field which may be left out may be null as well.
fn flatten(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    schema.remove("title");
    let fields = schema.get_mut("properties").and_then(Value::as_object_mut);
    for field in fields.into_iter().flat_map(serde_json::Map::values_mut) {
        let Some(field) = field.as_object_mut() else {
            continue;
        };
        if let Some(Value::Array(types)) = field.get_mut("type") {
            types.retain(|kind| kind != "null");
            if let [kind] = types.as_slice() {
                let kind = kind.clone();
                field.insert("type".to_owned(), kind);
            }
        }
        if matches!(
            field.get("type").and_then(Value::as_str),
            Some("integer" | "number")
        ) {
            field.remove("format");
        }
    }
}

macro_rules! questions_of_a_tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Questions),+> Questions for ($($name,)+) {
            type Answers = ($($name::Answers,)+);

            fn asked(&self) -> Vec<Asked> {
                [$(self.$index.asked()),+].concat()
            }

            fn answered(
                self,
                answers: &mut dyn Iterator<Item = Wire>,
            ) -> Result<Self::Answers> {
                Ok(($(self.$index.answered(answers)?,)+))
            }
        }
    };
}

questions_of_a_tuple!(A 0, B 1);
questions_of_a_tuple!(A 0, B 1, C 2);
questions_of_a_tuple!(A 0, B 1, C 2, D 3);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    struct Form {
        #[expect(dead_code, reason = "only its schema is looked at")]
        tone: Tone,
        #[expect(dead_code, reason = "only its schema is looked at")]
        stars: Option<u8>,
    }

    #[derive(serde::Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    enum Tone {
        Kind,
        Plain,
    }

    #[test]
    fn the_form_is_flat() {
        let [asked] = Question::<Form>::new("tone", "Which?")
            .asked()
            .try_into()
            .unwrap();
        let schema: serde_json::Value = serde_json::from_str(&asked.schema).unwrap();
        let tone = serde_json::json!({"type": "string", "enum": ["kind", "plain"]});
        assert_eq!(schema["properties"]["tone"], tone);
        let stars = serde_json::json!({"type": "integer", "minimum": 0, "maximum": 255});
        assert_eq!(schema["properties"]["stars"], stars);
        assert_eq!(schema["required"], serde_json::json!(["tone"]));
        assert_eq!(schema.get("$defs").or(schema.get("title")), None);
    }
}
