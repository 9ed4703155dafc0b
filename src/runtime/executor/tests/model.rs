//! The order of `fair`, in a simulation: random tenants with guests that spin and guests that come
//! and go, on a few workers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::fair::{Account, BEHIND_MAX, Fair};
use super::*;

/// The longest poll, in microseconds.
const SLICE: u64 = 5_000;

/// The time that is simulated.
const LENGTH: u64 = 3_000_000;

#[derive(Clone, Debug)]
struct Tenant {
    weight: u32,
    /// Guests that are always ready again at once, each of a principal of its own: when each comes.
    spinning: Vec<u64>,
    /// Guests that work and rest, each for so long.
    resting: Vec<(u64, u64)>,
}

#[derive(Clone, Debug)]
struct Guest {
    tenant: usize,
    principal: Arc<Principal>,
    rests: Option<(u64, u64)>,
    /// What is left to do before it rests.
    left: u64,
    /// Since when it is ready, and the longest that it was.
    since: u64,
    waited_max: u64,
    polls: u64,
}

struct Poll {
    account: Account,
    guest: usize,
    begun: u64,
    ends: u64,
}

struct Simulation {
    fair: Fair<usize>,
    accounts: Vec<Account>,
    guests: Vec<Guest>,
    ready: BTreeSet<usize>,
    workers: Vec<Option<Poll>>,
    resting: BTreeSet<(u64, usize)>,
    now: u64,
    /// CPU time by tenant.
    used: Vec<u64>,
    random: u64,
}

impl Simulation {
    fn new(tenants: &[Tenant], workers: usize, seed: u64) -> Self {
        let mut fair = Fair::default();
        let (mut accounts, mut guests) = (Vec::new(), Vec::new());
        for (index, tenant) in tenants.iter().enumerate() {
            let principal = |number| owner(&format!("t{index}"), &format!("s{number}"));
            accounts.push(fair.account(&principal(0).tenant, tenant.weight));
            let spinning = tenant.spinning.iter().map(|comes| (*comes, None));
            let resting = tenant.resting.iter().map(|rests| (0, Some(*rests)));
            let all = spinning.chain(resting).enumerate();
            guests.extend(all.map(|(number, (comes, rests))| Guest {
                tenant: index,
                principal: Arc::new(principal(number)),
                rests,
                left: 0,
                since: comes,
                waited_max: 0,
                polls: 0,
            }));
        }
        let mut simulation = Self {
            fair,
            accounts,
            guests,
            ready: BTreeSet::new(),
            workers: (0..workers).map(|_| None).collect(),
            resting: BTreeSet::new(),
            now: 0,
            used: vec![0; tenants.len()],
            random: seed | 1,
        };
        let comes = simulation.guests.iter().map(|guest| guest.since);
        simulation.resting = comes.zip(0..).collect();
        simulation.come();
        simulation
    }

    fn random(&mut self, below: u64) -> u64 {
        // xorshift: enough to vary the lengths of polls.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn wake(&mut self, index: usize) {
        let guest = &mut self.guests[index];
        guest.since = self.now;
        let whose = (self.accounts[guest.tenant], &guest.principal);
        let now = Duration::from_micros(self.now);
        let is_ahead = self.fair.push(whose, index, now);
        assert!(self.ready.insert(index), "ready twice");
        if is_ahead {
            // As the early epoch does: those that are polled yield now.
            for poll in self.workers.iter_mut().flatten() {
                poll.ends = poll.ends.min(self.now);
            }
        }
    }

    /// Lets free workers begin, and goes on to what happens next.
    fn step(&mut self) {
        for worker in 0..self.workers.len() {
            if self.workers[worker].is_none() {
                let now = Duration::from_micros(self.now);
                let next = self.fair.pop(now);
                // No worker is idle while a guest is ready.
                assert_eq!(next.is_none(), self.ready.is_empty());
                let Some((account, guest)) = next else { break };
                assert!(self.ready.remove(&guest), "polled, and not ready");
                let length = 1 + self.random(SLICE);
                let it = &mut self.guests[guest];
                it.polls += 1;
                it.waited_max = it.waited_max.max(self.now - it.since);
                let (begun, ends) = (self.now, self.now + length.min(it.left));
                self.workers[worker] = Some(Poll {
                    account,
                    guest,
                    begun,
                    ends,
                });
            }
        }
        let polls = self.workers.iter().flatten().map(|poll| poll.ends);
        let rests = self.resting.first().map(|(until, _)| *until);
        self.now = polls.chain(rests).min().unwrap();
        self.come();
        for worker in 0..self.workers.len() {
            if self.workers[worker]
                .as_ref()
                .is_some_and(|poll| poll.ends <= self.now)
            {
                let poll = self.workers[worker].take().unwrap();
                self.end(&poll);
            }
        }
    }

    /// Wakes those that come, or come back, by now.
    fn come(&mut self) {
        while let Some((until, guest)) = self.resting.first().copied()
            && until <= self.now
        {
            self.resting.pop_first();
            let rests = self.guests[guest].rests;
            self.guests[guest].left = rests.map_or(u64::MAX, |(work, _)| work);
            self.wake(guest);
        }
    }

    fn end(&mut self, poll: &Poll) {
        let took = self.now - poll.begun;
        let guest = &mut self.guests[poll.guest];
        self.used[guest.tenant] += took;
        guest.left = guest.left.saturating_sub(took);
        match guest.rests {
            Some((_, rest)) if guest.left == 0 => {
                self.resting.insert((self.now + rest, poll.guest));
            }
            // A guest that yields is ready before its poll has ended.
            _ => self.wake(poll.guest),
        }
        let begun = Duration::from_micros(poll.begun);
        let cpu = Duration::from_micros(took);
        self.fair.charge(poll.account, begun, cpu);
    }

    fn run(&mut self, until: u64) {
        while self.now < until {
            self.step();
        }
    }
}

fn tenants() -> impl Strategy<Value = Vec<Tenant>> {
    let rest = (1..20_000_u64, 1..20_000_u64);
    let comes = prop_oneof![Just(0), 0..LENGTH / 2, Just(LENGTH / 2 - 1)];
    let spinning = prop::collection::vec(comes, 0..5);
    let tenant = (1..4_u32, spinning, prop::collection::vec(rest, 0..3));
    let tenant = tenant.prop_map(|(weight, spinning, resting)| Tenant {
        weight,
        spinning,
        resting,
    });
    let has_guests = |tenants: &Vec<Tenant>| {
        let guests = |tenant: &Tenant| tenant.spinning.len() + tenant.resting.len();
        tenants.iter().map(guests).sum::<usize>() > 0
    };
    prop::collection::vec(tenant, 1..8).prop_filter("somebody has to work", has_guests)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tenants_share_by_weight_and_nobody_starves(
        tenants in tenants(),
        workers in 1..4_usize,
        seed in any::<u64>(),
    ) {
        let mut it = Simulation::new(&tenants, workers, seed);
        it.run(LENGTH / 2);
        // From here on all have come: what was before must make no difference.
        let before = it.used.clone();
        it.run(LENGTH);
        let got = |index: usize| {
            (it.used[index] - before[index]) / u64::from(tenants[index].weight)
        };
        // Those who could use any number of workers at any time.
        let is_greedy = |index: &usize| tenants[*index].spinning.len() >= workers;
        let greedy: Vec<_> = (0..tenants.len()).filter(is_greedy).collect();
        let slack = 2 * SLICE * (workers as u64 + 1);
        for one in &greedy {
            for other in 0..tenants.len() {
                let (got, others) = (got(*one), got(other));
                // Nobody gets more than the greedy do; and all of them get the same.
                prop_assert!(others <= got + slack, "{one}: {got}, {other}: {others}");
            }
        }
        let weights: u64 = tenants.iter().map(|tenant| u64::from(tenant.weight)).sum();
        for guest in &it.guests {
            let tenant = &tenants[guest.tenant];
            let together = (tenant.spinning.len() + tenant.resting.len() + 1) as u64;
            let turn = together * (weights + 1) * 2 * SLICE;
            let waits = if it.ready.is_empty() { 0 } else { it.now - guest.since };
            prop_assert!(guest.polls > 0 || waits < turn, "never polled");
            prop_assert!(guest.waited_max <= turn, "waited {} us", guest.waited_max);
        }
    }

    #[test]
    fn a_burst_gains_nothing(work in 1..200_000_u64, rest in 1..200_000_u64, seed in any::<u64>()) {
        let steady = Tenant { weight: 1, spinning: vec![0; 2], resting: Vec::new() };
        let burst = Tenant { weight: 1, spinning: Vec::new(), resting: vec![(work, rest); 2] };
        let mut it = Simulation::new(&[steady, burst], 2, seed);
        it.run(LENGTH);
        prop_assert!(it.used[1] <= it.used[0] + 6 * SLICE, "{:?}", it.used);
    }
}

#[test]
fn what_a_tenant_could_not_use_is_not_saved_up() {
    let few_then_many = [vec![0], vec![LENGTH / 2 - 1; 4]].concat();
    let tenants = [few_then_many, vec![0; 4]].map(|spinning| Tenant {
        weight: 1,
        spinning,
        resting: Vec::new(),
    });
    let mut it = Simulation::new(&tenants, 4, 7);
    it.run(LENGTH / 2);
    let before = it.used.clone();
    assert!(
        before[1] > 2 * before[0],
        "{before:?}: it had one worker, and the other three"
    );
    it.run(LENGTH);
    let got = [it.used[0] - before[0], it.used[1] - before[1]];
    assert!(got[0].abs_diff(got[1]) < 10 * SLICE, "{got:?}");
}

#[test]
fn a_newcomer_is_next_and_owes_nothing() {
    let mut fair = Fair::default();
    let (old, new) = (owner("old", "s"), owner("new", "s"));
    let second = Duration::from_secs(1);
    let account = fair.account(&old.tenant, 1);
    fair.push((account, &Arc::new(old.clone())), 1, Duration::ZERO);
    assert_eq!(fair.pop(Duration::ZERO), Some((account, 1)));
    fair.push((account, &Arc::new(old.clone())), 2, second);
    fair.charge(account, Duration::ZERO, second);
    let newcomer = fair.account(&new.tenant, 1);
    let is_ahead = fair.push((newcomer, &Arc::new(new.clone())), 3, second);
    assert!(!is_ahead, "nobody is polled");
    let behind = fair.used(&old.tenant) - fair.used(&new.tenant);
    assert_eq!(behind, BEHIND_MAX, "near the least used, and not at zero");
    assert_eq!(fair.pop(second), Some((newcomer, 3)));
    fair.charge(newcomer, second, second);
    assert_eq!(fair.pop(second * 2), Some((account, 2)));
    let is_ahead = fair.push((newcomer, &Arc::new(new)), 4, second * 2);
    assert!(!is_ahead, "it has used more");
}
