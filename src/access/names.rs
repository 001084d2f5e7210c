//! One name for one thing, in both languages: kinds, roles, reasons, states, and the heads of tables.

use crate::ledger::{AccountKind, CorrectionReason, EventKind, KeyRole, Text};

/// A kind of account.
#[must_use]
pub const fn account_kind(kind: AccountKind) -> Text {
    match kind {
        AccountKind::Resident => Text::new("resident", "居民"),
        AccountKind::Household => Text::new("household", "家庭"),
        AccountKind::Group => Text::new("group", "团体"),
        AccountKind::Station => Text::new("station", "服务站"),
        AccountKind::CommunityPool => Text::new("community-pool", "社区公共池"),
        AccountKind::DistrictPool => Text::new("district-pool", "区县公共池"),
        AccountKind::Issuance => Text::new("issuance", "发行账户"),
    }
}

/// Whose a key is.
#[must_use]
pub const fn role(role: KeyRole) -> Text {
    match role {
        KeyRole::Operator => Text::new("operator", "管理员"),
        KeyRole::Staff => Text::new("staff", "工作人员"),
        KeyRole::Resident => Text::new("resident", "居民"),
        KeyRole::Service => Text::new("service", "服务程序"),
    }
}

/// Why a record was corrected or reversed.
#[must_use]
pub const fn correction_reason(reason: CorrectionReason) -> Text {
    match reason {
        CorrectionReason::EntryError => Text::new("typed wrong", "录入错误"),
        CorrectionReason::Duplicate => Text::new("recorded twice", "重复登记"),
        CorrectionReason::WrongParty => Text::new("the wrong person or station", "人或服务站有误"),
        CorrectionReason::NotServed => Text::new("not served", "未服务"),
        CorrectionReason::SourceChanged => Text::new("its source changed", "来源已更改"),
    }
}

/// What a row of a history is about.
#[must_use]
pub const fn event_kind(kind: EventKind) -> Text {
    match kind {
        EventKind::ServiceRecorded => Text::new("service recorded", "登记服务"),
        EventKind::ServiceCorrected => Text::new("service corrected", "更正服务"),
        EventKind::ServiceReversed => Text::new("service reversed", "冲正服务"),
        EventKind::MinutesTransferred => Text::new("minutes transferred", "转赠时长"),
        EventKind::HoldPlaced => Text::new("hold placed", "预约"),
        EventKind::HoldReleased => Text::new("hold released", "取消预约"),
        EventKind::HoldExpired => Text::new("hold expired", "预约到期"),
    }
}

/// Whether a key may sign.
#[must_use]
pub const fn key_state(revoked: bool) -> Text {
    if revoked { Text::new("revoked", "已停用") } else { Text::new("in force", "有效") }
}

/// What a newer server says and this program doesn't know.
pub const UNKNOWN: Text = Text::new("unknown", "未知");

/// Heads of tables.
pub mod head {
    use crate::ledger::Text;

    macro_rules! heads {
        ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => { $($(#[$doc])* pub const $name: Text = $text;)* };
    }

    heads! {
        /// Whose row it is.
        ACCOUNT = Text::new("account", "账户");
        /// What a key may sign for.
        ACTS_FOR = Text::new("acts for", "代表");
        /// What can be spent.
        AVAILABLE = Text::new("available", "可用");
        /// All that is on it, or was after an event.
        BALANCE = Text::new("balance", "余额");
        /// The kind of a service.
        CATEGORY = Text::new("category", "服务类别");
        /// What an event adds or takes.
        CHANGE = Text::new("change", "变动");
        /// The day of a service.
        DATE = Text::new("date", "日期");
        /// The place of an event.
        EVENT = Text::new("event", "事件");
        /// The moment from which a hold can't be settled.
        EXPIRES = Text::new("expires", "到期");
        /// The name of a file.
        FILE = Text::new("file", "文件");
        /// What is reserved of an account.
        HELD = Text::new("held", "预约中");
        /// The place of a hold.
        HOLD = Text::new("hold", "预约");
        /// The region that a region lies in.
        IN = Text::new("in", "上级");
        /// The id of a key.
        KEY = Text::new("key", "密钥");
        /// The kind of an account.
        KIND = Text::new("kind", "类别");
        /// A length of time.
        MINUTES = Text::new("minutes", "分钟");
        /// What an account is called here.
        NAME = Text::new("name", "名称");
        /// What became of a file.
        OUTCOME = Text::new("outcome", "结果");
        /// Whose minutes a hold reserves.
        PAYER = Text::new("payer", "付出人");
        /// The code of a region.
        REGION = Text::new("region", "区域");
        /// The moment at which the ledger took an event.
        RECORDED = Text::new("recorded", "入账时间");
        /// How many services.
        RECORDS = Text::new("records", "记录");
        /// What holds reserve.
        RESERVED = Text::new("reserved", "预约时间");
        /// Whose a key is.
        ROLE = Text::new("role", "角色");
        /// A line of a file.
        ROW = Text::new("row", "行");
        /// Whether a key may sign.
        STATE = Text::new("state", "状态");
        /// The station that a hold is with.
        STATION = Text::new("station", "服务站");
        /// What an account belongs to.
        STATION_OR_REGION = Text::new("station or region", "服务站或区域");
        /// The hours of a service.
        TIME = Text::new("time", "时间");
        /// The account that a service credits.
        VOLUNTEER = Text::new("volunteer", "志愿者");
        /// An event in words.
        WHAT = Text::new("what", "内容");
    }
}
