//! Random arrivals and departures: caps hold at every moment, the order is as promised, and nobody
//! is forgotten.

use std::collections::HashMap;

use proptest::prelude::*;

use super::super::tenants::Share;
use super::*;

const MIB: u64 = 1 << 20;

fn owner(tenant: &str, subject: &str) -> Principal {
    Principal {
        tenant: tenant.to_owned().try_into().unwrap(),
        subject: subject.into(),
        ..Principal::local()
    }
}

fn task(owner: &Principal) -> TaskKey {
    TaskKey {
        tenant: owner.tenant.clone(),
        id: TaskId::random(),
    }
}

fn asker(owner: &Principal, memory: u64) -> Asker<'_> {
    Asker { owner, memory }
}

struct Desk {
    admission: Admission,
    looks: mpsc::UnboundedReceiver<Message>,
}

/// Room for four guests and 16 MiB, of which a tenant may have three and 12 MiB.
fn desk() -> Desk {
    desk_with(4, 3)
}

/// With other bounds of all lines, and of each.
fn desk_with(queued_max: usize, each: usize) -> Desk {
    let caps = Caps {
        running_max: 4,
        queued_max,
        memory_max: 16 * MIB,
    };
    let usual = Share {
        weight: 1,
        running_max: 3,
        queued_max: each,
        memory_max: 12 * MIB,
        ..Share::default()
    };
    let tenants = Tenants {
        usual,
        special: HashMap::new(),
    };
    let (look, looks) = mpsc::unbounded_channel();
    let admission = Admission::new(caps, tenants, look);
    Desk { admission, looks }
}

impl Desk {
    fn push(&self, class: Class, owner: &Principal, memory: u64) -> TaskKey {
        let key = task(owner);
        let ready = Ready::Task(key.clone());
        self.admission
            .push(class, ready, asker(owner, memory), None);
        key
    }

    fn pop(&self) -> Option<(TaskKey, Slot)> {
        self.pop_by(|_| 0)
    }

    fn pop_by(&self, used: impl Fn(&TenantId) -> u128) -> Option<(TaskKey, Slot)> {
        match self.admission.pop(used)? {
            (Ready::Task(key), slot) => Some((key, slot)),
            (Ready::Call(..), _) => panic!("nobody calls"),
        }
    }
}

#[test]
fn a_tenant_is_first_by_what_it_used_and_its_work_by_class() {
    let (desk, a, b) = (desk(), owner("a", "s"), owner("b", "s"));
    let new = desk.push(Class::New, &a, MIB);
    let tidy_up = desk.push(Class::TidyUp, &a, MIB);
    let go_on = desk.push(Class::GoOn, &a, MIB);
    let other = desk.push(Class::New, &b, MIB);
    let used = |tenant: &TenantId| if *tenant == b.tenant { 1 } else { 2 };
    let mut slots = Vec::new();
    for expect in [&other, &tidy_up, &go_on, &new] {
        let (key, slot) = desk.pop_by(used).unwrap();
        assert_eq!(key, *expect);
        slots.push(slot);
    }
    desk.push(Class::New, &b, MIB);
    assert!(desk.pop_by(used).is_none(), "four are loaded");
    drop(slots.pop());
    assert!(desk.pop_by(used).is_some());
}

#[test]
fn principals_take_turns() {
    let (desk, many, one) = (desk(), owner("a", "many"), owner("a", "one"));
    let first = desk.push(Class::New, &many, MIB);
    desk.push(Class::New, &many, MIB);
    let second = desk.push(Class::New, &one, MIB);
    let order = [desk.pop().unwrap(), desk.pop().unwrap()];
    assert_eq!([&order[0].0, &order[1].0], [&first, &second]);
}

#[test]
fn whoever_needs_much_is_not_passed_for_ever_and_holds_up_nobody_who_needs_little() {
    let (desk, large, small) = (desk(), owner("large", "s"), owner("small", "s"));
    let hog = owner("hog", "s");
    desk.push(Class::New, &hog, 8 * MIB);
    let (_, held) = desk.pop().unwrap();
    desk.push(Class::New, &large, 10 * MIB);
    let hogs = desk.push(Class::New, &hog, 4 * MIB);
    let smalls = desk.push(Class::New, &small, 2 * MIB);
    let used = |tenant: &TenantId| u128::from(*tenant != large.tenant);
    // The hog would hold 12 MiB, which is more than the large one wants.
    let (key, _small) = desk.pop_by(used).unwrap();
    assert_eq!(key, smalls);
    assert!(desk.pop_by(used).is_none());
    drop(held);
    let (key, _large) = desk.pop_by(used).unwrap();
    assert_eq!(key.tenant, large.tenant);
    assert_eq!(desk.pop_by(used).unwrap().0, hogs);
}

#[test]
fn many_who_need_little_do_not_keep_one_who_needs_much_waiting_for_ever() {
    let (desk, large) = (desk(), owner("large", "s"));
    let small: Vec<_> = (0..4).map(|n| owner(&format!("small{n}"), "s")).collect();
    let mut loaded = std::collections::VecDeque::new();
    for owner in &small {
        desk.push(Class::New, owner, 4 * MIB);
        loaded.push_back(desk.pop().unwrap());
    }
    desk.push(Class::New, &large, 12 * MIB);
    let used = |tenant: &TenantId| u128::from(*tenant != large.tenant);
    // Whoever goes comes again at once.
    for round in 0..20 {
        let (gone, slot) = loaded.pop_front().unwrap();
        let again = small.iter().find(|owner| owner.tenant == gone.tenant);
        desk.push(Class::New, again.unwrap(), 4 * MIB);
        drop(slot);
        while let Some((key, slot)) = desk.pop_by(used) {
            if key.tenant == large.tenant {
                return assert!(round > 2, "others went first while they could");
            }
            loaded.push_back((key, slot));
        }
    }
    panic!("it was never loaded");
}

#[test]
fn who_holds_less_is_first_among_those_who_have_used_as_much() {
    let (desk, a, b) = (desk(), owner("a", "s"), owner("b", "s"));
    for owner in [&a, &a, &b, &b] {
        desk.push(Class::New, owner, MIB);
    }
    let loaded: Vec<_> = (0..4).map_while(|_| desk.pop()).collect();
    let of_a =
        |taken: &[(TaskKey, Slot)]| taken.iter().filter(|it| it.0.tenant == a.tenant).count();
    assert_eq!((of_a(&loaded[..2]), of_a(&loaded)), (1, 2));
}

#[test]
fn a_single_guest_is_loaded_though_the_caps_are_lower_now() {
    let (desk, a) = (desk(), owner("a", "s"));
    desk.push(Class::GoOn, &a, 100 * MIB);
    desk.push(Class::GoOn, &a, MIB);
    let (_, slot) = desk.pop().unwrap();
    assert!(desk.pop().is_none(), "beside it there is no room");
    drop(slot);
    assert!(desk.pop().is_some());
}

#[test]
fn places_are_bounded_for_each_and_for_all() {
    let (desk, a, b) = (desk(), owner("a", "s"), owner("b", "s"));
    let place = |of: &Principal| desk.admission.place(&of.tenant);
    let places: Vec<_> = (0..3).map_while(|_| place(&a).ok()).collect();
    assert_eq!(places.len(), 3);
    assert!(matches!(place(&a), Err(Full::Tenant { queued: 3, max: 3 })));
    let other = place(&b).ok();
    assert!(matches!(place(&b), Err(Full::All { queued: 4, max: 4 })));
    let key = task(&b);
    let ready = Ready::Task(key.clone());
    desk.admission
        .push(Class::New, ready, asker(&b, MIB), other);
    assert_eq!(desk.admission.all().queued, 4, "it waits in its place");
    drop(places);
    assert_eq!(desk.admission.all().queued, 1);
    assert!(desk.admission.remove(&key, &b).is_some());
    assert_eq!(desk.admission.all().queued, 0);
    assert!(desk.admission.0.state().lines.is_empty());
}

#[test]
fn the_last_places_are_for_those_with_few() {
    let desk = desk_with(2_000, 1_000);
    let (a, b) = (owner("a", "s"), owner("b", "s"));
    // As many as there are for it.
    let fill = |of: &Principal| -> Vec<Place> {
        let places = std::iter::repeat_with(|| desk.admission.place(&of.tenant));
        places.map_while(Result::ok).collect()
    };
    let full = |of: &Principal| desk.admission.place(&of.tenant).err();
    let of_a = fill(&a);
    let mut of_b = fill(&b);
    assert_eq!((of_a.len(), of_b.len()), (1_000, 800));
    let max = 2_000;
    assert!(matches!(full(&b), Some(Full::All { queued: 1_800, max: it }) if it == max));
    let newcomers: Vec<_> = (0..100)
        .map(|number| fill(&owner(&format!("n{number}"), "s")))
        .collect();
    assert!(newcomers.iter().all(|places| places.len() == 2));
    let late = owner("late", "s");
    assert!(matches!(full(&late), Some(Full::All { queued: 2_000, max: it }) if it == max));
    // What is free again is not for those with many.
    of_b.truncate(799);
    assert!(full(&b).is_some());
    assert!(full(&owner("n1", "s")).is_some());
    assert_eq!(fill(&late).len(), 1);
}

#[test]
fn once_it_is_closed_nobody_waits_and_nobody_gets_a_slot() {
    let (desk, a) = (desk(), owner("a", "s"));
    let call = |place| {
        let (asked, slot) = oneshot::channel();
        let ready = Ready::Call(TaskId::random(), asked);
        desk.admission
            .push(Class::New, ready, asker(&a, MIB), place);
        slot
    };
    let mut waits = call(desk.admission.place(&a.tenant).ok());
    let task = desk.push(Class::GoOn, &a, MIB);
    desk.admission.close();
    let mut late = call(desk.admission.place(&a.tenant).ok());
    for slot in [&mut waits, &mut late] {
        let told = slot.try_recv().err();
        assert_eq!(told, Some(oneshot::error::TryRecvError::Closed));
    }
    assert!(desk.admission.slot(asker(&a, MIB)).is_none());
    assert!(desk.pop().is_none());
    assert!(desk.admission.remove(&task, &a).is_none());
    assert_eq!(desk.admission.all().queued, 0);
}

#[test]
fn a_slot_is_had_at_once_only_where_nobody_waits() {
    let (mut desk, a, b) = (desk(), owner("a", "s"), owner("b", "s"));
    let held: Vec<_> = (0..3)
        .map_while(|_| desk.admission.slot(asker(&a, MIB)))
        .collect();
    assert_eq!(held.len(), 3);
    assert!(desk.admission.slot(asker(&a, MIB)).is_none(), "its cap");
    desk.push(Class::New, &a, MIB);
    let other = desk.admission.slot(asker(&b, MIB));
    assert!(other.is_some(), "who waits could not have it");
    assert!(desk.looks.try_recv().is_err());
    drop((held, other));
    assert!(desk.looks.try_recv().is_ok(), "there is a slot now");
    let other = desk.admission.slot(asker(&b, MIB));
    assert!(other.is_none(), "who waits could have it");
}

#[test]
fn a_caller_who_goes_away_leaves_the_line() {
    let (desk, a) = (desk(), owner("a", "s"));
    let (asked, _slot) = oneshot::channel();
    let call = TaskId::random();
    let place = desk.admission.place(&a.tenant).ok();
    desk.admission
        .push(Class::New, Ready::Call(call, asked), asker(&a, MIB), place);
    desk.admission.withdraw(call, &a);
    assert!(desk.admission.pop(|_| 0).is_none());
    assert_eq!(desk.admission.all().queued, 0);
    assert!(desk.admission.0.state().lines.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn caps_hold_and_everybody_is_loaded_in_the_end(
        arrivals in prop::collection::vec((0..4_u8, 0..3_u8, 0..3_u8, 1..12_u64), 1..60),
        departures in prop::collection::vec(any::<prop::sample::Index>(), 60),
    ) {
        let desk = desk();
        let classes = [Class::TidyUp, Class::GoOn, Class::New];
        let (mut loaded, mut count) = (Vec::new(), 0);
        let mut departures = departures.into_iter();
        let mut load = |loaded: &mut Vec<(TaskKey, u64, Slot)>| {
            while let Some((key, slot)) = desk.pop() {
                loaded.push((key, slot.memory, slot));
                count += 1;
            }
            let of = |tenant: Option<&TenantId>| {
                let its = loaded.iter().filter(|(key, ..)| tenant.is_none_or(|it| key.tenant == *it));
                its.fold((0, 0), |(guests, bytes), (_, memory, _)| (guests + 1, bytes + memory))
            };
            let (guests, bytes) = of(None);
            prop_assert!(guests <= 4 && bytes <= 16 * MIB, "{guests} with {bytes}");
            for (key, ..) in loaded.iter() {
                let (guests, bytes) = of(Some(&key.tenant));
                prop_assert!(guests <= 3 && bytes <= 12 * MIB, "{guests} with {bytes}");
                let held = desk.admission.of(&key.tenant);
                prop_assert_eq!((held.running, held.reserved), (guests, bytes));
            }
            Ok(())
        };
        for (tenant, subject, class, memory) in &arrivals {
            let owner = owner(&format!("t{tenant}"), &format!("s{subject}"));
            desk.push(classes[usize::from(*class)], &owner, memory * MIB);
            load(&mut loaded)?;
            if let Some(index) = departures.next().filter(|_| loaded.len() > 2) {
                let index = index.index(loaded.len());
                drop(loaded.swap_remove(index));
                load(&mut loaded)?;
            }
        }
        while !loaded.is_empty() {
            loaded.remove(0);
            load(&mut loaded)?;
        }
        prop_assert_eq!(count, arrivals.len());
        prop_assert!(desk.admission.0.state().lines.is_empty());
    }
}
