//! Cancel, at every place of a task's life: one terminal state, a truthful `how`, and the resources
//! back.
//!
//! Each place is reached with both modes, in a house of its own, where time stands still; then all
//! of them one after another in the same house.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by panicking"
)]

mod common;

#[path = "cancel_matrix/case.rs"]
mod case;
#[path = "cancel_matrix/hows.rs"]
mod hows;
#[path = "cancel_matrix/places.rs"]
mod places;
#[path = "cancel_matrix/races.rs"]
mod races;
#[path = "cancel_matrix/twice.rs"]
mod twice;
#[path = "cancel_matrix/unloaded.rs"]
mod unloaded;

use stepwell::task::Mode;

macro_rules! matrix {
    ($($module:ident::$place:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $place() {
                let house = case::house().await;
                for mode in [Mode::Graceful, Mode::Immediate] {
                    $module::$place(&house, mode).await;
                    case::settled(&house).await;
                }
            }
        )*

        #[tokio::test]
        async fn the_whole_matrix_gives_back_what_it_took() {
            let house = case::house().await;
            for mode in [Mode::Immediate, Mode::Graceful, Mode::Immediate] {
                $(
                    $module::$place(&house, mode).await;
                    case::settled(&house).await;
                )*
            }
        }
    };
}

matrix! {
    places::before_the_start,
    places::between_steps,
    places::between_steps_where_it_asks,
    places::inside_a_step,
    places::inside_a_host_call,
    places::while_it_computes,
    unloaded::in_a_sleep,
    unloaded::in_a_sleep_before_any_step,
    places::in_a_short_sleep,
    unloaded::while_asking,
    unloaded::before_a_retry,
    places::during_replay,
    places::during_clean_up,
    places::while_it_is_about_to_pause,
    unloaded::while_paused,
    unloaded::while_paused_before_any_step,
    unloaded::while_paused_in_a_sleep,
}
