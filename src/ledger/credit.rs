//! From time served to minutes credited.

use super::{
    event::Served,
    policy::{Policy, Price, Rounding},
    rejection::Rejection,
    units::{Code, MINUTE_MS, Minutes},
};

/// Milliseconds of an hour.
const HOUR_MS: i128 = 3_600_000;

/// Milliseconds served.
pub(super) fn served_ms(served: &Served) -> i64 {
    match served {
        Served::Interval { start, end } => end.0.saturating_sub(start.0),
        Served::OnDate { minutes, .. } => minutes.get().saturating_mul(MINUTE_MS),
    }
}

/// The credit for a service: time served x the category's price, rounded to the policy's unit.
///
/// # Errors
/// [`Rejection::MinutesNotPositive`] where it rounds to nothing, [`Rejection::RoundingNotAllowed`], then
/// [`Rejection::CreditNotWhole`].
pub fn credited_minutes(
    policy: &Policy,
    category: &Code,
    served: &Served,
    rounding: Rounding,
) -> Result<Minutes, Rejection> {
    let credited = rounded_minutes(policy, category, served, rounding)?;
    if !credited.is_positive() {
        return Err(Rejection::MinutesNotPositive { minutes: credited });
    }
    let allowed = rounding == Rounding::Exact || policy.roundings.contains(&rounding);
    if allowed { Ok(credited) } else { Err(Rejection::RoundingNotAllowed) }
}

/// The same, whether the policy allows the rounding or not.
fn rounded_minutes(
    policy: &Policy,
    category: &Code,
    served: &Served,
    rounding: Rounding,
) -> Result<Minutes, Rejection> {
    let per_hour = match policy.price(category) {
        Price::Fixed(minutes) => return Ok(Minutes::new(i64::from(minutes))),
        Price::PerHour(minutes) => minutes,
    };
    let unit = policy.rounding_unit_minutes;
    // At most 2^63 ms x 600: fits 128 bits with room to double.
    let value = i128::from(served_ms(served)).saturating_mul(i128::from(per_hour));
    let one = HOUR_MS.saturating_mul(i128::from(unit));
    let (whole, rest) = (value.checked_div(one).unwrap_or(0), value.checked_rem(one).unwrap_or(0));
    let up = match rounding {
        Rounding::Exact if rest != 0 => return Err(Rejection::CreditNotWhole { unit }),
        Rounding::Exact | Rounding::Down => false,
        Rounding::Nearest => rest.saturating_mul(2) >= one,
        Rounding::Up => rest > 0,
    };
    let units = whole.saturating_add(i128::from(up));
    Ok(Minutes::new(i64::try_from(units.saturating_mul(i128::from(unit))).unwrap_or(i64::MAX)))
}
