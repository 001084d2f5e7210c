//! Protobuf events to the rules' events, every field validated once.

use super::{
    limits::{SIGNERS_MAX, TIMES_MS, id},
    messages::{account_kind, correction_reason, key_role},
};
use crate::{
    format::{
        checkpoint::Checkpoint,
        proto::{self, event::Kind},
        signature::{self, Claim, key_id},
    },
    ledger::{
        AccountId, AccountOpened, Code, CorrectionReason, Event, EventRef, KeyEnrolled, KeyId, LedgerCreated, LogIndex,
        Millis, Minutes, Policy, Predecessor, Price, Refusal, Rejection, Rounding, Served, Service, ServiceCorrected,
        ServiceRecorded, Tariff, Text,
    },
};

/// Longest category or region code.
const CODE_LENGTH_MAX: usize = 32;
/// Longest activity code.
const ACTIVITY_LENGTH_MAX: usize = 64;
/// Most tariffs that fit an event beside the rest of a policy; Chengdu prices 48 services.
const TARIFFS_MAX: usize = 64;
/// Most operator keys: all of them sign the genesis.
const OPERATORS_MAX: usize = SIGNERS_MAX;
/// 14 hours: no place on Earth is further from UTC.
const OFFSET_SECONDS_MAX: u32 = 14 * 3_600;
/// 9999-12-31 in days since 1970-01-01.
const DATE_MAX: i32 = 2_932_896;

/// A field and what is wrong with it.
type Field<T> = Result<T, (String, Rejection)>;

fn invalid<T>(field: &str, expected: Text) -> Field<T> {
    Err((field.to_owned(), Rejection::FieldInvalid { expected }))
}

/// Puts the path of the outer message before the field.
fn within<T>(outer: &str, result: Field<T>) -> Field<T> {
    result.map_err(|(field, rejection)| (format!("{outer}.{field}"), rejection))
}

/// An event as the rules see it.
pub(super) fn from_message(kind: Kind) -> Field<Event> {
    match kind {
        Kind::LedgerCreated(message) => {
            within("ledger_created", ledger_created(*message)).map(|created| Event::LedgerCreated(Box::new(created)))
        }
        Kind::KeyEnrolled(message) => within("key_enrolled", key_enrolled(&message)).map(Event::KeyEnrolled),
        Kind::KeyRevoked(message) => {
            let key_id = within("key_revoked", id16("key_id", &message.key_id))?;
            Ok(Event::KeyRevoked { key_id: KeyId(key_id) })
        }
        Kind::RegionDefined(message) => within("region_defined", region_defined(&message)),
        Kind::AccountOpened(message) => {
            let proto::AccountOpened { account, kind, region, station } = &message;
            within("account_opened", account_opened(account, *kind, region, station)).map(Event::AccountOpened)
        }
        Kind::FloorSet(message) => {
            let account = within("floor_set", account("account", &message.account))?;
            Ok(Event::FloorSet { account, floor: Minutes::new(message.floor_minutes) })
        }
        Kind::ServiceRecorded(message) => within("service_recorded", service_recorded(message)),
        Kind::ServiceCorrected(message) => within("service_corrected", service_corrected(message)),
        Kind::ServiceReversed(message) => within("service_reversed", service_reversed(message)),
        Kind::MinutesTransferred(message) => {
            let transferred = minutes_transferred(&message.from, &message.to, message.minutes);
            within("minutes_transferred", transferred)
        }
        Kind::HoldPlaced(message) => {
            let proto::HoldPlaced { payer, station, minutes, expires_at_ms } = &message;
            within("hold_placed", hold_placed(payer, station, *minutes, *expires_at_ms))
        }
        Kind::HoldReleased(message) => {
            within("hold_released", event_ref("hold", message.hold)).map(|hold| Event::HoldReleased { hold })
        }
        Kind::HoldExpired(message) => {
            within("hold_expired", event_ref("hold", message.hold)).map(|hold| Event::HoldExpired { hold })
        }
    }
}

/// A policy, read.
///
/// # Errors
/// The first field that holds nothing a policy can say.
pub fn policy(message: proto::Policy) -> Result<Policy, Refusal> {
    policy_fields(message).map_err(|(field, rejection)| Refusal::sheet(field, rejection))
}

fn id16(field: &str, bytes: &[u8]) -> Field<[u8; 16]> {
    id(bytes).map_or_else(
        || {
            invalid(
                field,
                Text::new("an id of 16 bytes, which is 32 hex digits", "16 字节的编号，即 32 位十六进制数字"),
            )
        },
        Ok,
    )
}

fn account(field: &str, bytes: &[u8]) -> Field<AccountId> {
    id16(field, bytes).map(AccountId)
}

fn optional_account(field: &str, bytes: &[u8]) -> Field<Option<AccountId>> {
    if bytes.is_empty() { Ok(None) } else { account(field, bytes).map(Some) }
}

fn public_key(field: &str, bytes: &[u8]) -> Field<[u8; 32]> {
    bytes
        .try_into()
        .or_else(|_| invalid(field, Text::new("an Ed25519 public key of 32 bytes", "32 字节的 Ed25519 公钥")))
}

fn code(field: &str, text: &str, length_max: usize) -> Field<Code> {
    Code::new(text, length_max).map_or_else(
        || {
            invalid(
                field,
                Text::new(
                    "1 to 32 (activity: 64) of A-Z a-z 0-9 . _ -",
                    "1 至 32 个（活动 64 个）A-Z a-z 0-9 . _ - 中的字符",
                ),
            )
        },
        Ok,
    )
}

fn optional_code(field: &str, text: &str, length_max: usize) -> Field<Option<Code>> {
    if text.is_empty() { Ok(None) } else { code(field, text, length_max).map(Some) }
}

fn time(field: &str, ms: i64) -> Field<Millis> {
    if TIMES_MS.contains(&ms) {
        Ok(Millis(ms))
    } else {
        invalid(field, Text::new("a time from 1970 to the year 9999", "1970 年至 9999 年之间的时间"))
    }
}

pub(super) fn event_ref(field: &str, message: Option<proto::EventRef>) -> Field<EventRef> {
    let Some(message) = message else {
        return invalid(field, Text::new("a reference to an event", "指向一个事件的位置"));
    };
    match u16::try_from(message.event) {
        Ok(event) if usize::from(event) < super::EVENTS_MAX => Ok(EventRef { index: LogIndex(message.index), event }),
        Ok(_) | Err(_) => {
            invalid(&format!("{field}.event"), Text::new("an event number below 1,000", "小于 1,000 的事件序号"))
        }
    }
}

fn ledger_created(message: proto::LedgerCreated) -> Field<LedgerCreated> {
    let keys = &message.operator_keys;
    if !(1..=OPERATORS_MAX).contains(&keys.len()) {
        return invalid("operator_keys", Text::new("1 to 8 keys", "1 至 8 个密钥"));
    }
    let operator_keys: Field<Vec<_>> = keys.iter().map(|key| public_key("operator_keys", key)).collect();
    let with_id = |key: [u8; 32]| (key_id(&key), key);
    if message.nonce.len() != 32 {
        return invalid("nonce", Text::new("32 random bytes", "32 个随机字节"));
    }
    let Some(policy) = message.policy else { return invalid("policy", Text::new("a policy", "一套规则")) };
    let predecessor =
        message.predecessor.map(|predecessor| within("predecessor", predecessor_of(&message.origin, predecessor)));
    Ok(LedgerCreated {
        predecessor: predecessor.transpose()?,
        origin: message.origin,
        ledger_key: public_key("ledger_key", &message.ledger_key)?,
        operator_keys: operator_keys?.into_iter().map(with_id).collect(),
        service_key: with_id(public_key("service_key", &message.service_key)?),
        // One of another length is none: S is out of range here.
        service_possession: message.service_possession.as_ref().try_into().unwrap_or([0xff; 64]),
        issuance: account("issuance_account", &message.issuance_account)?,
        policy: within("policy", policy_fields(policy))?,
    })
}

fn predecessor_of(origin: &str, message: proto::Predecessor) -> Field<Predecessor> {
    if message.origin == origin || !super::is_origin(&message.origin) {
        return invalid("origin", Text::new("the origin of another ledger", "另一个账本的标识"));
    }
    let Ok(root) = message.root.as_ref().try_into() else { return invalid("root", Text::new("32 bytes", "32 字节")) };
    let ledger_key = public_key("ledger_key", &message.ledger_key)?;
    let (size, origin) = (message.size, message.origin);
    let checkpoint = Checkpoint { origin, size, root: message.root.to_vec(), extensions: String::new() };
    // One of another length is none: S is out of range here.
    let signature = message.signature.as_ref().try_into().unwrap_or([0xff; 64]);
    let text = checkpoint.to_string();
    let claim = Claim { public_key: ledger_key, signature, message: text.as_bytes() };
    if !signature::is_enrollable(&ledger_key) || !signature::verify(claim) {
        return invalid(
            "signature",
            Text::new(
                "the signature of ledger_key over the checkpoint of origin, size and root",
                "ledger_key 对由 origin、size、root 组成的检查点的签名",
            ),
        );
    }
    Ok(Predecessor { origin: checkpoint.origin, size, root, ledger_key, signature })
}

fn policy_fields(message: proto::Policy) -> Field<Policy> {
    let cap = match (message.cap_minutes, message.overflow_pool.as_ref()) {
        (0, []) => None,
        (0, _) => return invalid("overflow_pool", Text::new("no pool where there is no cap", "没有上限时不写公共池")),
        (minutes, pool) => Some((Minutes::new(minutes), account("overflow_pool", pool)?)),
    };
    if message.tariffs.len() > TARIFFS_MAX {
        return invalid("tariffs", Text::new("at most 64 tariffs", "最多 64 个计价"));
    }
    let tariff = |tariff: proto::Tariff| {
        let price = match tariff.price {
            Some(proto::tariff::Price::MinutesPerHour(minutes)) => Price::PerHour(minutes),
            Some(proto::tariff::Price::FixedMinutes(minutes)) => Price::Fixed(minutes),
            None => return invalid("price", Text::new("a price", "一个价格")),
        };
        Ok(Tariff { category: code("category", &tariff.category, CODE_LENGTH_MAX)?, price })
    };
    let roundings: Field<Vec<_>> = message.roundings.iter().map(|value| rounding("roundings", *value)).collect();
    let tariffs: Field<Vec<_>> = message.tariffs.into_iter().map(|row| within("tariffs", tariff(row))).collect();
    Ok(Policy {
        rules: message.rules,
        rounding_unit_minutes: message.rounding_unit_minutes,
        roundings: roundings?,
        floor: Minutes::new(message.floor_minutes),
        cap,
        record_max: Minutes::new(message.record_minutes_max),
        day_max: Minutes::new(message.day_minutes_max),
        age_days_max: message.age_days_max,
        validity_days_max: message.validity_days_max,
        tariffs: tariffs?,
    })
}

fn rounding(field: &str, value: i32) -> Field<Rounding> {
    match proto::Rounding::try_from(value) {
        Ok(proto::Rounding::Unspecified) => Ok(Rounding::Exact),
        Ok(proto::Rounding::Down) => Ok(Rounding::Down),
        Ok(proto::Rounding::Nearest) => Ok(Rounding::Nearest),
        Ok(proto::Rounding::Up) => Ok(Rounding::Up),
        Err(_) => invalid(field, Text::new("none, DOWN, NEAREST or UP", "不写、DOWN、NEAREST 或 UP")),
    }
}

fn key_enrolled(message: &proto::KeyEnrolled) -> Field<KeyEnrolled> {
    let Some(role) = key_role(message.role) else {
        return invalid("role", Text::new("OPERATOR, STAFF or RESIDENT", "OPERATOR、STAFF 或 RESIDENT"));
    };
    let public_key = public_key("public_key", &message.public_key)?;
    let Ok(possession) = message.possession.as_ref().try_into() else {
        return invalid("possession", Text::new("a signature of 64 bytes", "64 字节的签名"));
    };
    Ok(KeyEnrolled {
        key_id: key_id(&public_key),
        public_key,
        possession,
        role,
        account: optional_account("account", &message.account)?,
        own_account: optional_account("own_account", &message.own_account)?,
    })
}

fn region_defined(message: &proto::RegionDefined) -> Field<Event> {
    Ok(Event::RegionDefined {
        code: code("code", &message.code, CODE_LENGTH_MAX)?,
        parent: optional_code("parent", &message.parent, CODE_LENGTH_MAX)?,
    })
}

pub(super) fn account_opened(id: &[u8], kind: i32, region: &str, station: &[u8]) -> Field<AccountOpened> {
    let Some(kind) = account_kind(kind) else {
        return invalid("kind", Text::new("a kind of account, not ISSUANCE", "账户类别，不能是 ISSUANCE"));
    };
    Ok(AccountOpened {
        account: account("account", id)?,
        kind,
        region: optional_code("region", region, CODE_LENGTH_MAX)?,
        station: optional_account("station", station)?,
    })
}

/// The fields of a service, wherever they were read from.
pub(super) struct ServiceParts<'a> {
    pub(super) volunteer: &'a [u8],
    pub(super) station: &'a [u8],
    pub(super) payer: &'a [u8],
    pub(super) category: &'a str,
    pub(super) activity: &'a str,
    pub(super) served: Option<proto::service::Served>,
    pub(super) utc_offset_seconds: i32,
    pub(super) credited_minutes: i64,
    pub(super) rounding: i32,
    pub(super) insured: bool,
    pub(super) imported: bool,
}

fn service(message: Option<proto::Service>) -> Field<Service> {
    let Some(message) = message else { return invalid("service", Text::new("a service", "一次服务")) };
    let parts = ServiceParts {
        volunteer: &message.volunteer,
        station: &message.station,
        payer: &message.payer,
        category: &message.category,
        activity: &message.activity,
        served: message.served,
        utc_offset_seconds: message.utc_offset_seconds,
        credited_minutes: message.credited_minutes,
        rounding: message.rounding,
        insured: message.insured,
        imported: message.imported,
    };
    within("service", service_fields(&parts))
}

pub(super) fn service_fields(parts: &ServiceParts<'_>) -> Field<Service> {
    let served = match &parts.served {
        Some(proto::service::Served::Interval(interval)) => Served::Interval {
            start: time("interval.start_ms", interval.start_ms)?,
            end: time("interval.end_ms", interval.end_ms)?,
        },
        Some(proto::service::Served::OnDate(served)) => {
            if !(0..=DATE_MAX).contains(&served.date) {
                return invalid(
                    "on_date.date",
                    Text::new("a date from 1970 to the year 9999", "1970 年至 9999 年之间的日期"),
                );
            }
            Served::OnDate { date: served.date, minutes: Minutes::new(served.minutes) }
        }
        None => return invalid("served", Text::new("an interval or a date", "一段时间或一个日期")),
    };
    if parts.utc_offset_seconds.unsigned_abs() > OFFSET_SECONDS_MAX {
        return invalid(
            "utc_offset_seconds",
            Text::new("an offset from UTC within 14 hours", "14 小时以内的 UTC 偏移"),
        );
    }
    Ok(Service {
        volunteer: account("volunteer", parts.volunteer)?,
        station: account("station", parts.station)?,
        payer: optional_account("payer", parts.payer)?,
        category: code("category", parts.category, CODE_LENGTH_MAX)?,
        activity: optional_code("activity", parts.activity, ACTIVITY_LENGTH_MAX)?,
        served,
        utc_offset_seconds: parts.utc_offset_seconds,
        credited: Minutes::new(parts.credited_minutes),
        rounding: rounding("rounding", parts.rounding)?,
        insured: parts.insured,
        imported: parts.imported,
    })
}

fn service_recorded(message: proto::ServiceRecorded) -> Field<Event> {
    let hold = message.hold.map(|hold| event_ref("hold", Some(hold))).transpose()?;
    Ok(Event::ServiceRecorded(ServiceRecorded { service: service(message.service)?, hold }))
}

pub(super) fn reason(value: i32) -> Field<CorrectionReason> {
    correction_reason(value).map_or_else(|| invalid("reason", Text::new("a reason", "一个理由")), Ok)
}

fn service_corrected(message: proto::ServiceCorrected) -> Field<Event> {
    Ok(Event::ServiceCorrected(ServiceCorrected {
        record: event_ref("record", message.record)?,
        reason: reason(message.reason)?,
        service: service(message.service)?,
    }))
}

fn service_reversed(message: proto::ServiceReversed) -> Field<Event> {
    Ok(Event::ServiceReversed { record: event_ref("record", message.record)?, reason: reason(message.reason)? })
}

pub(super) fn minutes_transferred(from: &[u8], to: &[u8], minutes: i64) -> Field<Event> {
    Ok(Event::MinutesTransferred {
        from: account("from", from)?,
        to: account("to", to)?,
        minutes: Minutes::new(minutes),
    })
}

pub(super) fn hold_placed(payer: &[u8], station: &[u8], minutes: i64, expires_at_ms: i64) -> Field<Event> {
    Ok(Event::HoldPlaced {
        payer: account("payer", payer)?,
        station: account("station", station)?,
        minutes: Minutes::new(minutes),
        expires_at: time("expires_at_ms", expires_at_ms)?,
    })
}
