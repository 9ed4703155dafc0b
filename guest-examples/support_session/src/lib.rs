//! `support_session`: a support conversation. It asks its owner, goes on after days, and can
//! be restored to what a client saved: which issues are resolved, and what is known about
//! the customer. Its steps are named by the issue that they are about, so that a session
//! that skips some finds the others again.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stepwell_guest::{Answer, Error, Level, Question, Result, Task, TaskSupport, Tool};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    customer: String,
    #[schemars(length(min = 1))]
    issues: Vec<Issue>,
    /// How long after the conversation the customer is asked again; two days.
    #[serde(default = "follow_up_ms")]
    follow_up_ms: u64,
}

fn follow_up_ms() -> u64 {
    2 * 24 * 60 * 60 * 1000
}

#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Issue {
    /// Unique in the session; without `#`, `@` and `!`.
    id: String,
    kind: Kind,
    text: String,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Billing,
    Delivery,
    Other,
}

#[derive(Deserialize, JsonSchema)]
struct Contact {
    /// How to reach you.
    email: String,
}

#[derive(Deserialize, JsonSchema)]
struct Manner {
    /// How you would like to be spoken to.
    tone: Tone,
}

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Tone {
    Friendly,
    Brief,
}

#[derive(Deserialize, JsonSchema)]
struct Outcome {
    /// Whether that helped.
    solved: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Rating {
    /// From 1 to 5.
    stars: u8,
}

/// What a client saves and restores beside the tool's own state.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Client {
    current_step: u64,
    customer_context: Map<String, Value>,
    resolved_issues: Vec<String>,
}

/// The tool's own state.
#[derive(Serialize, Deserialize)]
struct Session {
    email: Option<String>,
    tone: Tone,
    is_talked_through: bool,
    resolved: Vec<String>,
    tickets: Vec<String>,
    /// What a client saved is shown until the next checkpoint, so it is noted here.
    restored: bool,
}

#[derive(Serialize, JsonSchema)]
struct Report {
    customer: String,
    resolved: Vec<String>,
    /// What was handed to a person.
    tickets: Vec<String>,
    stars: Option<u8>,
    /// Whether the session went on from what a client had saved.
    restored: bool,
}

fn support_session(task: &Task, args: Args) -> Result<Report> {
    check(&args)?;
    let client = task.client_state::<Client>()?;
    let restored = client.is_some();
    let client = client.unwrap_or_default();
    if restored {
        task.log(
            Level::Info,
            format!("restored to step {}", client.current_step),
        );
    }
    let mut session = match task.load::<Session>()? {
        Some(session) => session,
        None => greet(task, &args, &client)?,
    };
    session.restored |= restored;
    for id in &client.resolved_issues {
        if !session.resolved.contains(id) {
            session.resolved.push(id.clone());
        }
    }
    if !session.is_talked_through {
        talk(task, &args, &mut session)?;
        session.is_talked_through = true;
        task.save(&session)?;
    }
    task.sleep("follow-up", Duration::from_millis(args.follow_up_ms))?;
    let question = format!("{}, how did we do?", args.customer);
    let rating = task
        .ask(Question::<Rating>::new("rating", question))?
        .accepted();
    Ok(Report {
        customer: args.customer,
        resolved: session.resolved,
        tickets: session.tickets,
        stars: rating.map(|rating| rating.stars),
        restored: session.restored,
    })
}

fn check(args: &Args) -> Result<()> {
    let is_name = |id: &str| !id.is_empty() && !id.contains(['#', '@', '!']);
    match args.issues.iter().find(|issue| !is_name(&issue.id)) {
        Some(issue) => Err(Error::invalid_arguments(format!("`{}` is no id", issue.id))),
        None if args.issues.is_empty() => Err(Error::invalid_arguments("`issues` is empty")),
        None => Ok(()),
    }
}

/// Asks two things at once, but for what the client knows already.
fn greet(task: &Task, args: &Args, client: &Client) -> Result<Session> {
    let known = client.customer_context.get("email").and_then(Value::as_str);
    let (email, tone) = match known {
        Some(email) => (Some(email.to_owned()), Tone::Brief),
        None => {
            let (contact, manner) = task.ask((
                Question::<Contact>::new("contact", format!("{}, who are you?", args.customer)),
                Question::<Manner>::new("manner", "How shall we talk?"),
            ))?;
            let tone = manner.accepted().map_or(Tone::Brief, |manner| manner.tone);
            (contact.accepted().map(|contact| contact.email), tone)
        }
    };
    let (resolved, tickets) = (Vec::new(), Vec::new());
    Ok(Session {
        email,
        tone,
        is_talked_through: false,
        resolved,
        tickets,
        restored: false,
    })
}

/// Goes through the issues that are not resolved.
fn talk(task: &Task, args: &Args, session: &mut Session) -> Result<()> {
    for (index, issue) in args.issues.iter().enumerate() {
        task.progress(index, Some(args.issues.len()), &format!("at {}", issue.id));
        if session.resolved.contains(&issue.id) {
            continue;
        }
        let advice = advise(task, issue, session.tone)?;
        let question = Question::<Outcome>::new(format!("solved/{}", issue.id), advice);
        match task.ask(question)? {
            Answer::Accept(Outcome { solved: true }) => session.resolved.push(issue.id.clone()),
            Answer::Accept(_) | Answer::Decline | Answer::Cancel | Answer::Unavailable => {
                session.tickets.push(escalate(task, issue, session)?);
            }
        }
    }
    task.progress(
        args.issues.len(),
        Some(args.issues.len()),
        "all issues talked through",
    );
    Ok(())
}

fn advise(task: &Task, issue: &Issue, tone: Tone) -> Result<String> {
    let advice = match issue.kind {
        Kind::Billing => task.step_with(&format!("invoice/{}", issue.id), issue, |issue| {
            Ok(format!("The invoice was corrected: {}", issue.text))
        }),
        Kind::Delivery => task.step_with(&format!("parcel/{}", issue.id), issue, |issue| {
            Ok(format!("The parcel was found: {}", issue.text))
        }),
        Kind::Other => task.step_with(&format!("advice/{}", issue.id), issue, |issue| {
            Ok(format!(
                "Turning it off and on again may help: {}",
                issue.text
            ))
        }),
    }?;
    Ok(match tone {
        Tone::Friendly => format!("Thank you for your patience! {advice} Is all well now?"),
        Tone::Brief => format!("{advice} Solved?"),
    })
}

/// Hands the issue to a person.
fn escalate(task: &Task, issue: &Issue, session: &Session) -> Result<String> {
    let ticket = task.step_once(&format!("escalate/{}", issue.id), issue, |once| {
        Ok(format!("{}/{}", issue.id, once.key))
    })?;
    let email = session.email.as_deref().unwrap_or("no address");
    task.log(Level::Info, format!("ticket {ticket} for {email}"));
    Ok(ticket)
}

stepwell_guest::export!(
    Tool::new("support_session", support_session)
        .title("Support session")
        .description("Talks a customer's issues through, and asks again after days.")
        .destructive(false)
        .open_world(true)
        .task_support(TaskSupport::Required)
);
