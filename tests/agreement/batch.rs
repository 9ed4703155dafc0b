//! Runs that are played together, in one house. What happens to the whole house happens when every
//! task that has not ended stands where it happened to it in the explorer.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use stepwell::limit::Limits;
use stepwell::runtime::{Cancellation, Request};
use tokio::task::JoinSet;

use crate::common::{House, lines, me};
use crate::compare::{Played, differences};
use crate::draw::{Case, Event};
use crate::player::{Blocked, Player, Stage};

/// How many runs are played together at most.
const TOGETHER: usize = 64;

/// How long a task has where its deadline passes, which the waits of a whole batch do not reach.
const DEADLINE: Duration = Duration::from_secs(200);

/// What tasks are given to tidy up, of which a deadline that passes takes less than half.
const GRACE: Duration = Duration::from_secs(600);

/// Runs to which the same happens, of as much as happens to each.
pub(crate) struct Batch {
    events: Vec<Event>,
    cases: Vec<Case>,
}

/// A task, and what it is blocked by or how it went wrong.
type Went = (Player, Result<Blocked, String>);

impl Batch {
    /// Puts the runs together.
    pub(crate) fn all(mut cases: Vec<Case>) -> Vec<Self> {
        cases.sort_by(|one, other| other.events.cmp(&one.events));
        let mut batches: Vec<Self> = Vec::new();
        for case in cases {
            let fits = |batch: &&mut Self| {
                batch.cases.len() < TOGETHER && batch.events.starts_with(&case.events)
            };
            match batches.iter_mut().find(fits) {
                Some(batch) => batch.cases.push(case),
                None => batches.push(Self {
                    events: case.events.clone(),
                    cases: vec![case],
                }),
            }
        }
        batches
    }

    /// Plays the runs. Returns what came to something else than in the explorer.
    pub(crate) async fn play(self) -> Vec<String> {
        let mut house = House::still_with(|options| {
            options.running_max = 2 * TOGETHER;
            options.grace_max = 2 * GRACE;
        })
        .await;
        let mut troupe = Troupe {
            stage: stage(&house, false),
            players: Vec::new(),
            wrong: Vec::new(),
        };
        for (number, case) in self.cases.iter().enumerate() {
            let task = house.submit(request(&house, case)).await;
            let player = Player::new(&troupe.stage, number, task, &case.model);
            troupe.players.push(player);
        }
        for event in &self.events {
            troupe.go_on(&house).await;
            house = troupe.happen(house, *event).await;
        }
        troupe.go_on(&house).await;
        let mut wrong = troupe.wrong;
        for player in troupe.players {
            let case = &self.cases[player.case];
            let played = Played::of(&house, &troupe.stage, &player).await;
            let model = match player.fork {
                Some(fork) => case.model.forks.get(fork),
                None => Some(&case.model),
            };
            let played = match model {
                Some(model) => differences(model, &played),
                None => Some("it was forked, which was refused in the explorer".into()),
            };
            wrong.extend(played.map(|message| (player, message)));
        }
        // It ends here, and gives back its slots.
        house.runtime.abandon().await;
        wrong
            .into_iter()
            .map(|(player, message)| self.report(&player, &message))
            .collect()
    }

    fn report(&self, player: &Player, message: &str) -> String {
        let case = &self.cases[player.case];
        let log = case.model.log.as_deref().unwrap_or_default();
        let fork = player.fork.map_or("", |_| ", its fork");
        format!(
            "--- {}{fork}: {message}\n{}\n",
            case.model.guest.name,
            log.join("\n")
        )
    }
}

/// The tasks of a batch.
struct Troupe {
    stage: Stage,
    players: Vec<Player>,
    wrong: Vec<(Player, String)>,
}

impl Troupe {
    /// All go on, and time with them, until each has ended or waits for what happens to the house.
    async fn go_on(&mut self, house: &House) {
        loop {
            let mut next = None;
            let many = self.players.len();
            for (mut player, blocked) in self.play().await {
                if let Blocked::Until(until) = blocked {
                    player.pass(&self.stage);
                    next = next.max(Some(until));
                }
                self.players.append(&mut player.born);
                self.players.push(player);
            }
            match (next, &house.hand) {
                (Some(next), Some(hand)) => {
                    hand.advance(next.since(self.stage.runtime.clock().now()));
                }
                _ if self.players.len() > many => {}
                _ => return,
            }
        }
    }

    /// All play on until they are blocked. Whatever went wrong is over.
    async fn play(&mut self) -> Vec<(Player, Blocked)> {
        let mut set = JoinSet::new();
        for mut player in self.players.drain(..) {
            let stage = self.stage.clone();
            set.spawn(async move {
                let blocked = player.go_on(&stage).await;
                (player, blocked)
            });
        }
        let went: Vec<Went> = set.join_all().await;
        let mut blocked = Vec::new();
        for (mut player, went) in went {
            match went {
                Ok(by) => blocked.push((player, by)),
                Err(message) => {
                    player.give_up_pausing();
                    let cancel = Cancellation::immediate(me());
                    // It may have ended.
                    let _ = self.stage.runtime.cancel(&player.key, cancel).await;
                    let trace = lines(&self.stage.folder(&player.key).join("trace"));
                    let message = format!("{message}, after {}", trace.join(", "));
                    self.wrong.push((player, message));
                }
            }
        }
        blocked
    }

    /// Something happens to the house, and so to all that have not ended.
    async fn happen(&mut self, house: House, event: Event) -> House {
        let house = match event {
            Event::Crash => {
                self.players.iter_mut().for_each(Player::give_up_pausing);
                self.pass();
                house.crash().await
            }
            Event::Drain => {
                let leave = async {
                    self.stage.leaving = true;
                    self.pass();
                    self.players = self
                        .play()
                        .await
                        .into_iter()
                        .map(|(player, _)| player)
                        .collect();
                };
                let (house, ()) = tokio::join!(house.reopen(), leave);
                self.players.iter_mut().for_each(Player::give_up_pausing);
                house
            }
            Event::Deadline => {
                if let Some(hand) = &house.hand {
                    hand.advance(DEADLINE);
                }
                for player in self.players.iter().filter(|player| !player.is_over()) {
                    house
                        .runtime
                        .wait_for(&player.key, |record| record.state.stop().is_some())
                        .await
                        .expect("the deadline comes");
                }
                self.pass();
                house
            }
        };
        // Where no live task needs it, a component is kept only by whoever added it.
        let guest = stepwell_guest_examples::TEST_GUEST.to_vec();
        let added = house.runtime.add(guest).await;
        added.expect("the component is added again");
        self.stage = stage(&house, false);
        house
    }

    fn pass(&mut self) {
        let stage = &self.stage;
        self.players
            .iter_mut()
            .for_each(|player| player.pass(stage));
    }
}

fn stage(house: &House, leaving: bool) -> Stage {
    Stage {
        runtime: house.runtime.clone(),
        world: house.world(""),
        leaving,
    }
}

fn request(house: &House, case: &Case) -> Request {
    let script = &case.model.script;
    let arguments = json!({
        "guest": case.twin, "dir": PathBuf::from("/world"), "gate": true,
        "flakes": script.flakes, "choices": script.guesses,
    });
    let usual = Limits::default();
    let deadline = match case.events.contains(&Event::Deadline) {
        true => u64::try_from(DEADLINE.as_millis()).unwrap_or(usual.deadline),
        false => usual.deadline,
    };
    Request {
        limits: Limits {
            deadline,
            grace: u64::try_from(GRACE.as_millis()).unwrap_or(usual.grace),
            ..usual
        },
        ..house.request("model", arguments)
    }
}
