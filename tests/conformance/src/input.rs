//! Tools that ask their caller.

use serde_json::{Value, json};

use crate::contract::stepwell::tool::elicitation::{self, Answer, Question};
use crate::contract::stepwell::tool::types::TaskSupport;
use crate::{Error, Output, Result, Tool, failed, form, nothing, object, text, text_of, work};

const OPTIONAL: TaskSupport = TaskSupport::Optional;

pub(crate) const TOOLS: [Tool; 12] = [
    Tool {
        name: "confirm_delete",
        description: "Asks whether a file is to be deleted. There is none.",
        task: OPTIONAL,
        takes: || object(json!({"filename": {"type": "string"}})),
        run: confirm_delete,
    },
    Tool {
        name: "multi_input",
        description: "Asks two questions at once.",
        task: OPTIONAL,
        takes: nothing,
        run: multi_input,
    },
    Tool {
        name: "test_tool_with_task",
        description: "Asks first, and then takes long.",
        task: OPTIONAL,
        takes: nothing,
        run: |_| {
            let name = ask_name("user_name", "What is your name?")?;
            work::after_the_answer()?;
            Ok(text(format!("Hello, {name}!")))
        },
    },
    Tool {
        name: "test_streaming_elicitation",
        description: "Asks while its caller listens.",
        task: OPTIONAL,
        takes: nothing,
        run: |_| greeting(),
    },
    Tool {
        name: "test_input_required_result_elicitation",
        description: "Asks for a name.",
        task: OPTIONAL,
        takes: nothing,
        run: |_| greeting(),
    },
    Tool {
        name: "test_input_required_result_request_state",
        description: "Asks for a confirmation.",
        task: OPTIONAL,
        takes: nothing,
        run: |_| confirmed("state-ok"),
    },
    Tool {
        name: "test_input_required_result_tampered_state",
        description: "Asks for a confirmation that nobody may forge.",
        task: OPTIONAL,
        takes: nothing,
        run: |_| confirmed("The state was not tampered with"),
    },
    Tool {
        name: "test_input_required_result_multi_round",
        description: "Asks twice, one question after the other.",
        task: OPTIONAL,
        takes: nothing,
        run: multi_round,
    },
    Tool {
        name: "test_input_required_result_capabilities",
        description: "Asks, where its caller can be asked.",
        task: OPTIONAL,
        takes: nothing,
        run: |_| match ask_one("user_name", "What is your name?", form::name())? {
            Answer::Unavailable => Ok(text("Nobody can be asked.")),
            answer => Ok(text(format!("User response: {}", told(&answer)))),
        },
    },
    Tool {
        name: "test_elicitation",
        description: "Asks what it is told to ask.",
        task: OPTIONAL,
        takes: || object(json!({"message": {"type": "string"}})),
        run: |arguments| {
            let message = text_of(arguments, "message")?;
            answered("User response", &message, form::contact())
        },
    },
    Tool {
        name: "test_elicitation_sep1034_defaults",
        description: "Asks with a form that is filled in already.",
        task: OPTIONAL,
        takes: nothing,
        run: |_| {
            let message = "Please review and update the form fields with defaults";
            answered("Elicitation completed", message, form::with_defaults())
        },
    },
    Tool {
        name: "test_elicitation_sep1330_enums",
        description: "Asks with a form of choices.",
        task: OPTIONAL,
        takes: nothing,
        run: |_| {
            let message = "Please select options from the enum fields";
            answered("Elicitation completed", message, form::of_choices())
        },
    },
];

fn confirm_delete(arguments: &Value) -> Result<Output> {
    let file = text_of(arguments, "filename")?;
    let message = format!("Delete {file}?");
    let answer = ask_one("confirm", &message, form::yes_or_no("confirm"))?;
    let what = if is_yes(&answer, "confirm") {
        "Deleted"
    } else {
        "Kept"
    };
    Ok(text(format!("{what} {file}")))
}

fn multi_input(_: &Value) -> Result<Output> {
    let [name, confirm] = ask([
        question("name", "What is your name?", form::name()),
        question("confirm", "Go on?", form::yes_or_no("confirm")),
    ])?;
    Ok(text(format!(
        "name: {}; confirm: {}",
        told(&name),
        told(&confirm)
    )))
}

fn multi_round(_: &Value) -> Result<Output> {
    let name = ask_name("step1", "Step 1: What is your name?")?;
    let question = "Step 2: What is your favorite color?";
    let color = ask_one(
        "step2",
        question,
        object(json!({"color": {"type": "string"}})),
    )?;
    let color = field(&color, "color")?;
    Ok(text(format!(
        "Hello, {name}! Your favorite color is {color}."
    )))
}

fn greeting() -> Result<Output> {
    let name = ask_name("user_name", "What is your name?")?;
    Ok(text(format!("Hello, {name}!")))
}

fn confirmed(then: &str) -> Result<Output> {
    let answer = ask_one("confirm", "Please confirm", form::yes_or_no("ok"))?;
    let is_confirmed = is_yes(&answer, "ok");
    Ok(text(if is_confirmed {
        then
    } else {
        "It was not confirmed"
    }))
}

/// Asks, and returns what became of it as the suite writes it.
fn answered(label: &str, message: &str, schema: Value) -> Result<Output> {
    match ask_one("form", message, schema)? {
        Answer::Unavailable => Err(failed("the client cannot be asked")),
        answer => Ok(text(format!("{label}: {}", told(&answer)))),
    }
}

fn ask_name(name: &str, message: &str) -> Result<String> {
    field(&ask_one(name, message, form::name())?, "name")
}

fn ask_one(name: &str, message: &str, schema: Value) -> Result<Answer> {
    let [answer] = ask([question(name, message, schema)])?;
    Ok(answer)
}

fn ask<const N: usize>(questions: [Question; N]) -> Result<[Answer; N]> {
    let answers = elicitation::ask(&questions).map_err(|_| Error::Stopped)?;
    answers
        .try_into()
        .map_err(|_| failed("there are not as many answers as questions"))
}

fn question(name: &str, message: &str, schema: Value) -> Question {
    Question {
        name: name.to_owned(),
        message: message.to_owned(),
        schema: schema.to_string(),
    }
}

/// A text of an answer that was given.
fn field(answer: &Answer, name: &str) -> Result<String> {
    let text = accepted(answer, name).and_then(|value| value.as_str().map(str::to_owned));
    text.ok_or_else(|| failed(format!("there is no `{name}`: {}", told(answer))))
}

fn is_yes(answer: &Answer, name: &str) -> bool {
    accepted(answer, name) == Some(Value::Bool(true))
}

fn accepted(answer: &Answer, name: &str) -> Option<Value> {
    match answer {
        Answer::Accept(json) => {
            let form: Value = serde_json::from_str(json).ok()?;
            form.get(name).cloned()
        }
        Answer::Decline | Answer::Cancel | Answer::Unavailable => None,
    }
}

fn told(answer: &Answer) -> String {
    match answer {
        Answer::Accept(json) => format!("action=accept, content={json}"),
        Answer::Decline => "action=decline".to_owned(),
        Answer::Cancel => "action=cancel".to_owned(),
        Answer::Unavailable => "nobody can be asked".to_owned(),
    }
}
