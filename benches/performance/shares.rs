//! How the CPU is shared between tenants whose guests all want more of it than there is.
//!
//! Two threads run guests that spin; a tenant's part is what it was charged, of what all were
//! charged over the same seconds. There is nobody to compare with: what counts is how far a
//! tenant is from the part that is its due, as a part of that. Where it is the tenants' number
//! that decides, and not their guests', the parts are right although tenants have more guests or
//! fewer.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use stepwell::id::TenantId;
use stepwell::runtime::{Share, Tenants};

use crate::crowd::{House, tenant};
use crate::table::{Amount, Reach, Row, Scale, Table};

/// As many threads as the machine that this is meant for: with far more of them than tenants, one
/// guest could not use what is its tenant's due.
const THREADS: usize = 2;

const TENANTS: usize = 20;

/// How far a tenant may be from its due, as a part of that.
const DEVIATION_MAX: f64 = 0.10;

/// How long a tenant that comes and goes is there, and not there.
const BURST: Duration = Duration::from_millis(200);

/// The burster's guests, and the steady tenant's.
const BURST_GUESTS: usize = 6;
const STEADY_GUESTS: usize = 3;

pub(crate) fn run(table: &mut Table, scale: &Scale) -> anyhow::Result<()> {
    let lasting = Duration::from_secs(scale.of(10, 5) as u64);
    let deviations = [
        ("20 tenants, equal weights", equal(lasting)?),
        ("two tenants, 3 to 1", weighted(lasting)?),
        ("a tenant that comes and goes", bursts(lasting)?),
    ];
    for (what, deviation) in deviations {
        table.add(Row {
            measure: format!("CPU shares, {what}: largest deviation"),
            stepwell: Amount::Share(deviation),
            baseline: None,
            reach: Reach::Max(Amount::Share(DEVIATION_MAX)),
        });
    }
    Ok(())
}

/// Tenants of the same weight, with one guest to five: each is due the same.
fn equal(lasting: Duration) -> anyhow::Result<f64> {
    let names = (0..TENANTS).map(|number| tenant(&format!("tenant-{number}")));
    let names: Vec<_> = names.collect::<Result<_, _>>()?;
    let house = house(&[])?;
    let guests = names.iter().cloned().zip((1..=5).cycle());
    let spinning = house.spin(&guests.collect::<Vec<_>>())?;
    let used = over(&house, &names, || {
        thread::sleep(lasting);
        Ok(())
    })?;
    spinning.end()?;
    let whole: f64 = used.iter().sum();
    let dues = used.iter().map(|used| (*used, whole / part(TENANTS)));
    Ok(largest(dues))
}

/// Two tenants, of which the one with fewer guests has three times the weight.
fn weighted(lasting: Duration) -> anyhow::Result<f64> {
    let names = [tenant("heavy")?, tenant("light")?];
    let [heavy, light] = names.clone();
    let house = house(&[(heavy.clone(), 3), (light.clone(), 1)])?;
    let spinning = house.spin(&[(heavy, 4), (light, 8)])?;
    let used = over(&house, &names, || {
        thread::sleep(lasting);
        Ok(())
    })?;
    spinning.end()?;
    let whole: f64 = used.iter().sum();
    let dues = used.into_iter().zip([0.75, 0.25].map(|due| due * whole));
    Ok(largest(dues))
}

/// One tenant that is there all the time, and one of the same weight that comes with many guests
/// and goes again: what it did not use while it was away gives it no claim to more. Over its
/// bursts it is due at most half of what both used; the other, over all, at least half of those
/// and all of the rest. Loading the guests and taking them away counts as part of the burst.
fn bursts(lasting: Duration) -> anyhow::Result<f64> {
    let names = [tenant("burster")?, tenant("steady")?];
    let [burster, steady] = names.clone();
    let house = house(&[])?;
    let spinning = house.spin(&[(steady, STEADY_GUESTS)])?;
    let (mut bursting, mut between) = ([0.0; 2], [0.0; 2]);
    let begun = Instant::now();
    while begun.elapsed() < lasting {
        let used = over(&house, &names, || {
            let burst = house.spin(&[(burster.clone(), BURST_GUESTS)])?;
            thread::sleep(BURST);
            burst.end()
        })?;
        add(&mut bursting, &used);
        let used = over(&house, &names, || {
            thread::sleep(BURST);
            Ok(())
        })?;
        add(&mut between, &used);
    }
    spinning.end()?;
    let half = bursting.iter().sum::<f64>() / 2.0;
    let ([burst, steady], rest) = (bursting, between);
    ensure!(burst > half / 2.0, "the bursts came to nothing");
    let excess = (burst - half) / half;
    let due = half + rest.iter().sum::<f64>();
    let shortfall = (due - (steady + rest[1])) / due;
    Ok(excess.max(shortfall).max(0.0))
}

/// A runtime with as many threads for guests as are to be shared, and tenants of other weights.
fn house(weights: &[(TenantId, u32)]) -> anyhow::Result<House> {
    let share = |weight| Share {
        weight,
        running_max: 256,
        ..Share::default()
    };
    let special = weights
        .iter()
        .map(|(tenant, weight)| (tenant.clone(), share(*weight)));
    let special = special.collect::<HashMap<_, _>>();
    House::open(|options| {
        options.guest_threads = THREADS;
        options.tenants = Tenants {
            usual: share(Share::default().weight),
            special,
        };
    })
}

/// The seconds of CPU time that each tenant is charged for while `work` goes on.
fn over(
    house: &House,
    tenants: &[TenantId],
    work: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<f64>> {
    let charged = || tenants.iter().map(|it| house.runtime.tenant(it).cpu);
    let (begun, before) = (Instant::now(), charged().collect::<Vec<_>>());
    work()?;
    let time = begun.elapsed();
    let used = charged().zip(before);
    let used = used.map(|(now, before)| now.saturating_sub(before).as_secs_f64());
    let used: Vec<_> = used.collect();
    // Others may be at work on the machine too, but some of it was to be shared.
    let (whole, most) = (used.iter().sum::<f64>(), time.as_secs_f64() * part(THREADS));
    ensure!(whole > most / 10.0, "{whole} s were charged in {time:?}");
    Ok(used)
}

fn add(sums: &mut [f64; 2], used: &[f64]) {
    for (sum, used) in sums.iter_mut().zip(used) {
        *sum += used;
    }
}

/// How far the one that is furthest from its due is from it, as a part of that.
fn largest(dues: impl Iterator<Item = (f64, f64)>) -> f64 {
    dues.map(|(used, due)| ((used - due) / due).abs())
        .fold(0.0, f64::max)
}

#[allow(clippy::cast_precision_loss, reason = "it is a small number")]
fn part(number: usize) -> f64 {
    number as f64
}
