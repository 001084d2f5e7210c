//! Why a sheet or an event is refused.

mod list;
mod words;

use std::fmt;

pub use self::list::StatusCode;
use self::{
    list::rejections,
    words::{NotYet, Place, Unit, When},
};
use super::{
    event::Served,
    language::{Language, Say, Text, zh},
    units::{AccountId, AtOffset, Date, EventRef, KeyId, LogIndex, Millis, Minutes},
};

// The one list of rules: the order of precedence, and for each rule its code (the name), what it carries, its status, and
// what it says in both languages: the sentence, and what to do next.
rejections! {
    // The bytes.
    /// Header, events and signatures together are too long.
    SheetTooLarge {
        /// Length of all three together.
        bytes: usize,
        /// Longest there may be, in bytes.
        max: usize,
    } InvalidArgument {
        en("the sheet has {bytes} bytes, more than {max}") "Split it into several sheets."
        zh("登记单有 {bytes} 字节，超过上限 {max} 字节") "请拆成几张登记单。"
    }
    /// A header or event is empty or too long.
    LengthOutOfRange {
        /// Its length.
        bytes: usize,
        /// Longest there may be, in bytes.
        max: usize,
    } InvalidArgument {
        en("it has {bytes} bytes; 1 to {max} are allowed")
            "Codes and ids are the only text in it, and none of it is empty: build it from these, and sign it again."
        zh("它有 {bytes} 字节，应为 1 至 {max} 字节") "其中的文字只有代码和编号，而且不能为空：请据此重新生成并签名。"
    }
    /// A sheet without events, or with too many.
    EventCountOutOfRange {
        /// Events in the sheet.
        count: usize,
        /// Most there may be.
        max: usize,
    } InvalidArgument {
        en("the sheet has {count} events; 1 to {max} are allowed") "Put 1 to 1,000 events into each sheet."
        zh("登记单有 {count} 个事件，应为 1 至 {max} 个") "请让每张登记单有 1 至 1,000 个事件。"
    }
    /// Not a protobuf message of this type: cut off, or garbage.
    EncodingInvalid {
        /// The type that was expected.
        message: &'static str,
        /// In the decoder's words, which are English.
        problem: String,
    } InvalidArgument {
        en("the bytes are not a {message}: {problem}") "Send the bytes exactly as they were serialized and signed."
        zh("这些字节不是 {message}：{problem}") "请原样发送序列化并签名过的字节。"
    }
    /// A valid message in a form that isn't the canonical one.
    EncodingNotCanonical {
        /// In what way, in English: it names fields of the protocol.
        problem: String,
    } InvalidArgument {
        en("the encoding is not canonical: {problem}")
            "Serialize with fields ascending, defaults left out, nothing twice, varints minimal; then sign again."
        zh("编码不是规范形式：{problem}") "序列化时字段按编号升序，省略默认值，不重复，varint 取最短；然后重新签名。"
    }
    /// A field has a value it can't have.
    FieldInvalid {
        /// The values that it can have.
        expected: Text,
    } InvalidArgument {
        en("the value is not allowed: expected {expected}") "Correct the field and sign again."
        zh("这个值不行，应为：{}", zh(expected)) "请改正这个字段，然后重新签名。"
    }
    /// As many signatures as signers, no more, no fewer.
    SignatureCountMismatch {
        /// Signatures of the sheet.
        signatures: usize,
        /// Signers that its header names.
        signers: usize,
    } InvalidArgument {
        en("there are {signatures} signatures for {signers} signers")
            "Give one signature of 64 bytes for each signer, in their order."
        zh("有 {signatures} 个签名，而签名人有 {signers} 个") "请按签名人的顺序，每人给一个 64 字节的签名。"
    }
    /// The header counts other events than there are.
    EventCountMismatch {
        /// Events, as the header counts them.
        stated: u32,
        /// Events of the sheet.
        found: usize,
    } InvalidArgument {
        en("the header states {stated} events, the sheet has {found}")
            "State the number of events in the header and sign again."
        zh("表头写有 {stated} 个事件，登记单里有 {found} 个") "请在表头写明事件的个数，然后重新签名。"
    }
    /// The events are not those that were signed.
    EventsRootMismatch InvalidArgument {
        en("the events are not those that the header was signed over")
            "Send the very events that were signed, in their order."
        zh("这些事件不是表头签名所指的那些") "请按顺序发送当时签名的那些事件。"
    }
    /// Two events of a sheet with one salt.
    SaltRepeated {
        /// Number of the earlier event.
        other: usize,
    } InvalidArgument {
        en("event {other} has the same salt") "Give every event of the sheet 16 fresh random bytes."
        zh("第 {other} 号事件用了同样的随机数") "请给每个事件 16 个新的随机字节。"
    }
    /// The public key is not canonical, or of small order.
    PublicKeyInvalid InvalidArgument {
        en("the public key is not a canonical Ed25519 point of large order") "Make a new key."
        zh("公钥不是规范的、大阶的 Ed25519 点") "请另生成一个密钥。"
    }
    /// The possession proof doesn't verify.
    PossessionInvalid InvalidArgument {
        en("the possession proof is not this key's signature for this ledger")
            "Have the key's owner sign a possession proof for this ledger's origin."
        zh("持有证明不是这个密钥为本账本所签") "请密钥的主人为本账本的标识签一份持有证明。"
    }
    /// Written for another ledger.
    OriginMismatch {
        /// Of this ledger.
        expected: String,
        /// In the header.
        found: String,
    } InvalidArgument {
        en("the sheet is for the ledger {found:?}, this is {expected:?}") "Submit it to the ledger it was signed for."
        zh("登记单是给账本 {found:?} 的，这里是 {expected:?}") "请交给它签名时所指的账本。"
    }
    // The signers.
    /// Nobody enrolled this key.
    KeyUnknown {
        /// The signer's key.
        key_id: KeyId,
    } Unauthenticated {
        en("key {key_id} is not enrolled here") "Have the key enrolled, or sign with an enrolled one."
        zh("密钥 {key_id} 没有在这里登记") "请先登记这个密钥，或用登记过的密钥签名。"
    }
    /// The signature doesn't verify.
    SignatureInvalid {
        /// The signer's key.
        key_id: KeyId,
    } Unauthenticated {
        en("the signature of key {key_id} does not verify")
            "Sign the header's bytes with this key; check that nothing changed them on the way."
        zh("密钥 {key_id} 的签名验证不通过") "请用这个密钥对表头的字节签名，并检查途中有没有被改动。"
    }
    // The sheet.
    /// The author used this sheet id for other bytes.
    SheetExistsWithDifferentBytes {
        /// The entry with the sheet of this id.
        index: LogIndex,
    } AlreadyExists {
        en("the sheet id was used for entry {index}, which has other bytes")
            "Use a fresh sheet id for a different sheet."
        zh("这个登记单编号已用于第 {index} 条，而内容不同") "不同的登记单请用新的编号。"
    }
    /// `valid_until_ms` is over.
    SheetExpired {
        /// The last moment to record it.
        valid_until: Millis,
        /// The ledger's time.
        now: Millis,
    } FailedPrecondition {
        en("the sheet could be recorded until {valid_until}, now it is {now}")
            "Look whether it was recorded; if not, sign it again with a later end."
        zh("登记单的有效期到 {valid_until}，现在是 {now}")
            "请先查它是否已经入账；如果没有，请改用更晚的有效期重新签名。"
    }
    /// Signed by a clock that runs ahead.
    SheetIssuedInFuture {
        /// When it was signed, by the signer's clock.
        issued_at: Millis,
        /// The ledger's time.
        now: Millis,
    } InvalidArgument {
        en("the sheet was signed in the future, at {issued_at}: now it is {now}")
            "Set the clock of the machine that signs."
        zh("登记单的签名时间 {issued_at} 在将来：现在是 {now}") "请校准签名那台机器的时钟。"
    }
    /// Valid for longer than the policy allows, or not at all.
    SheetValidityOutOfRange {
        /// From signature to end, in whole days.
        days: i64,
        /// Most days there may be.
        max: u32,
    } InvalidArgument {
        en("the sheet is valid for {days} days or ends before it begins; at most {max} days are allowed")
            "Sign it again with a shorter validity."
        zh("登记单的有效期是 {days} 天，或者未生效就已结束；最多 {max} 天") "请改用较短的有效期重新签名。"
    }
    /// A signer's key was revoked.
    KeyIsRevoked {
        /// The signer's key.
        key_id: KeyId,
    } PermissionDenied {
        en("key {key_id} is revoked") "Sign with a key that is in force."
        zh("密钥 {key_id} 已经停用") "请用有效的密钥签名。"
    }
    // An event's own values.
    /// Zero or negative.
    MinutesNotPositive {
        /// As stated.
        minutes: Minutes,
    } InvalidArgument {
        en("it states {minutes}, and at least 1 minute is needed") "State at least 1 minute."
        zh("写的是 {}，至少要 1 分钟", zh(minutes)) "请写至少 1 分钟。"
    }
    /// More than any event may move.
    MinutesTooLarge {
        /// As stated.
        minutes: Minutes,
        /// Most that one event may move.
        max: Minutes,
    } InvalidArgument {
        en("it states {minutes}, more than one event may move: {max}") "Check the number; it is in minutes."
        zh("写的是 {}，超过一个事件的上限 {}", zh(minutes), zh(max)) "请核对数字，单位是分钟。"
    }
    /// The end is not after the start.
    IntervalEmpty {
        /// First moment.
        start: Millis,
        /// Moment after the last.
        end: Millis,
        /// The record's own offset, in seconds east of UTC.
        utc_offset_seconds: i32,
    } InvalidArgument {
        en(
            "the end, {}, is not after the start, {}",
            AtOffset(*end, *utc_offset_seconds), AtOffset(*start, *utc_offset_seconds)
        )
            "Check both times; an end past midnight belongs to the next date."
        zh("结束时间 {} 不晚于开始时间 {}", AtOffset(*end, *utc_offset_seconds), AtOffset(*start, *utc_offset_seconds))
            "请核对两个时间；过了零点的结束时间属于第二天。"
    }
    /// From an account to itself.
    SameAccount InvalidArgument {
        en("an account can't pay itself") "Name two different accounts, one that gives and one that receives."
        zh("账户不能付给自己") "请写两个不同的账户，一个付出，一个收入。"
    }
    // Who signs.
    /// No signer may do this.
    NotPermitted {
        /// Whose signature it takes.
        who: Text,
    } PermissionDenied {
        en("no signer of this sheet may do this; it takes {who}") "Have it signed by somebody who may."
        zh("登记单的签名人都无权这样做；需要：{}", zh(who)) "请由有权的人签名。"
    }
    /// A signer would be credited.
    SelfDealing PermissionDenied {
        en("a signer of this sheet would be credited") "Have it signed by somebody else who may."
        zh("登记单的签名人自己会因此得到时长") "请由别的有权的人签名。"
    }
    // What it refers to.
    /// Nobody defined the region.
    RegionUnknown NotFound {
        en("the region is not defined")
            "Define it first, or check its code: `timebank region list` shows those there are."
        zh("没有这个区域") "请先设立区域，或核对它的代码：`timebank region list` 会列出已有的区域。"
    }
    /// Nobody opened the account.
    AccountUnknown {
        /// As the event names it.
        account: AccountId,
    } NotFound {
        en("account {account} does not exist") "Check the id, or open the account first."
        zh("账户 {account} 不存在") "请核对编号，或先开户。"
    }
    /// The account can't have this part in the event.
    AccountKindMismatch {
        /// As the event names it.
        account: AccountId,
        /// The kinds that can.
        expected: Text,
    } InvalidArgument {
        en("account {account} is of a kind that can't do this; expected {expected}")
            "Name an account of the expected kind."
        zh("账户 {account} 的类别不能这样用；应为：{}", zh(expected)) "请写类别合适的账户。"
    }
    /// The key that is to be revoked was never enrolled.
    RevokedKeyUnknown {
        /// As the event names it.
        key_id: KeyId,
    } NotFound {
        en("key {key_id} is not enrolled") "Check the key id; `timebank key list` shows all of them."
        zh("密钥 {key_id} 没有登记") "请核对密钥编号；`timebank key list` 会列出全部密钥。"
    }
    /// There is no service record in that place.
    RecordUnknown {
        /// The place that the event names.
        record: EventRef,
    } NotFound {
        en("{} is no service record", Place::event(*record))
            "Name the original record by its place, as 17.0: receipts and histories show it."
        zh("{}不是服务记录", zh(&Place::event(*record))) "请用原记录的位置来指明它，例如 17.0：回执和明细里都有。"
    }
    /// Nothing was reserved in that place.
    HoldUnknown {
        /// The place that the event names.
        hold: EventRef,
    } NotFound {
        en("{} placed no hold", Place::event(*hold))
            "Name the hold by its place, as 17.0: `hold list` shows those that are open."
        zh("{}没有预约时长", zh(&Place::event(*hold)))
            "请用预约的位置来指明它，例如 17.0：`hold list` 会列出未结束的预约。"
    }
    // What is there already.
    /// The ledger has its genesis.
    LedgerExists AlreadyExists {
        en("a ledger is created once") "Start a new data folder for a new ledger; this one goes on as it is."
        zh("账本只能创建一次") "新的账本请用新的数据目录；这一个照常继续。"
    }
    /// A region of this code was defined before.
    RegionExists AlreadyExists {
        en("the region is already defined") "Use it as it is, or choose another code for another region."
        zh("区域已经设立") "请直接使用，或给另一个区域另选代码。"
    }
    /// As many regions as a ledger may have.
    TooManyRegions {
        /// Most there may be.
        max: usize,
    } FailedPrecondition {
        en("the ledger has {max} regions, the most there may be") "Use the regions there are."
        zh("账本已有 {max} 个区域，不能再多") "请使用已有的区域。"
    }
    /// An account of this id was opened before.
    AccountExists {
        /// As the event names it.
        account: AccountId,
    } AlreadyExists {
        en("account {account} already exists") "Use it as it is, or choose fresh random bytes."
        zh("账户 {account} 已经存在") "请直接使用，或另选随机编号。"
    }
    /// The key was enrolled, once and for all.
    KeyExists {
        /// The key that would be enrolled again.
        key_id: KeyId,
    } AlreadyExists {
        en("key {key_id} was enrolled before; a key is enrolled once per ledger, ever") "Make a new key."
        zh("密钥 {key_id} 以前登记过；一个密钥在一个账本里只能登记一次") "请另生成一个密钥。"
    }
    /// The key was revoked before.
    KeyAlreadyRevoked {
        /// As the event names it.
        key_id: KeyId,
    } FailedPrecondition {
        en("key {key_id} is already revoked") "Nothing is left to do."
        zh("密钥 {key_id} 已经停用") "不用再做什么。"
    }
    /// Without an operator nobody could run the ledger.
    LastOperatorKey FailedPrecondition {
        en("it is the last operator key") "Enrol another operator key first; without one nobody could run the ledger."
        zh("这是最后一个管理员密钥") "请先登记另一个管理员密钥；没有它就没有人能管理账本。"
    }
    /// The record was reversed, which is final.
    RecordReversed {
        /// Place of the original record.
        record: EventRef,
    } FailedPrecondition {
        en("{} was taken back for good", Place::record(*record)) "Nothing more is to be done where it was to be gone; a service that was done is recorded anew."
        zh("{}已经冲正", zh(&Place::record(*record))) "若本就要撤去，不必再做什么；确实做过的服务请重新登记。"
    }
    /// A correction that corrects nothing.
    CorrectionChangesNothing FailedPrecondition {
        en("the correction changes nothing") "Leave it out, or name what should be different."
        zh("更正没有改动任何内容") "请去掉它，或写明要改什么。"
    }
    /// A hold ends exactly once.
    HoldEnded {
        /// Place of the hold.
        hold: EventRef,
    } FailedPrecondition {
        en("{} has ended: it was settled, released or expired", Place::hold(*hold))
            "Look at the account's history for how it ended."
        zh("{}已经结束：已兑现、已取消或已过期", zh(&Place::hold(*hold))) "请在账户明细里查看它是怎样结束的。"
    }
    /// Placed by another payer or with another station.
    HoldOfOthers {
        /// Place of the hold.
        hold: EventRef,
    } FailedPrecondition {
        en("{} is of another payer or with another station", Place::hold(*hold))
            "Name the hold that this payer placed with this station."
        zh("{}是别的付出人的，或在别的服务站", zh(&Place::hold(*hold))) "请指明这位付出人在这个服务站的预约。"
    }
    /// Too late to settle.
    HoldRunOut {
        /// Place of the hold.
        hold: EventRef,
        /// The first moment at which it can't be settled.
        expires_at: Millis,
    } FailedPrecondition {
        en("{} ran out at {expires_at}", Place::hold(*hold)) "Have the payer place a new hold, or sign the record."
        zh("{}已于 {expires_at} 到期", zh(&Place::hold(*hold))) "请付出人重新预约，或由其在记录上签名。"
    }
    /// Too early to expire.
    HoldStillRuns {
        /// Place of the hold.
        hold: EventRef,
        /// The first moment at which it may expire.
        expires_at: Millis,
    } FailedPrecondition {
        en("{} runs until {expires_at}", Place::hold(*hold)) "Release it instead, or wait until then."
        zh("{}到 {expires_at} 才到期", zh(&Place::hold(*hold))) "请改为取消预约，或等到那时。"
    }
    /// More than was reserved.
    HoldTooSmall {
        /// What the record would take.
        credited: Minutes,
        /// What the hold reserves.
        held: Minutes,
    } FailedPrecondition {
        en("it takes {credited}, and the hold reserves {held}")
            "Credit at most what is held; have the rest signed by the payer."
        zh("需要 {}，而预约只有 {}", zh(credited), zh(held)) "记入的时长不能超过预约的；其余请付出人签名。"
    }
    /// A hold that would end before it begins, or in more than two years.
    HoldEndOutOfRange {
        /// As stated.
        expires_at: Millis,
        /// Most days ahead.
        days_max: u32,
    } InvalidArgument {
        en("the hold would end at {expires_at}; it must be later than now and at most {days_max} days ahead")
            "Choose an end within the limit."
        zh("预约会在 {expires_at} 结束；应晚于现在，最多提前 {days_max} 天") "请在限期内另选结束时间。"
    }
    // Times and limits.
    /// The service isn't over.
    ServiceInFuture {
        /// When it was, as stated.
        served: Served,
        /// The record's own offset, in seconds east of UTC.
        utc_offset_seconds: i32,
        /// The ledger's time.
        now: Millis,
    } InvalidArgument {
        en("{}", NotYet { served, utc_offset_seconds: *utc_offset_seconds, now: *now })
            "Record it when it is over; check the date and the clock."
        zh("{}", zh(&NotYet { served, utc_offset_seconds: *utc_offset_seconds, now: *now }))
            "请在服务结束之后登记；请核对日期和时钟。"
    }
    /// The service was too long ago for a first record.
    ServiceTooOld {
        /// When it was, as stated.
        served: Served,
        /// The record's own offset, in seconds east of UTC.
        utc_offset_seconds: i32,
        /// Most days back.
        days_max: u32,
    } FailedPrecondition {
        en("the service was {}, more than {days_max} days ago", When(served, *utc_offset_seconds))
            "Have an operator bring it over as imported history."
        zh("服务{}，距今超过 {days_max} 天", zh(&When(served, *utc_offset_seconds))) "请由管理员作为历史记录导入。"
    }
    /// The policy doesn't name this rounding.
    RoundingNotAllowed InvalidArgument {
        en("the policy does not allow this rounding") "Use a rounding that the policy names."
        zh("规则不允许这种取整方式") "请用规则里列出的取整方式。"
    }
    /// The time doesn't come to whole units and no rounding is named.
    CreditNotWhole {
        /// The policy's unit, in minutes.
        unit: u32,
    } InvalidArgument {
        en("the time served does not come to a whole number of {}, and no rounding is named", Unit(*unit))
            "Name a rounding that the policy allows."
        zh("服务时长不是{}的整数倍，也没有写明取整方式", zh(&Unit(*unit))) "请写明规则允许的取整方式。"
    }
    /// The author's credit differs from what the ledger computes.
    CreditMismatch {
        /// By the author.
        claimed: Minutes,
        /// By the ledger.
        computed: Minutes,
    } InvalidArgument {
        en("{claimed} are claimed, the time served gives {computed}") "Claim what the time served gives."
        zh("申报 {}，而按服务时长应为 {}", zh(claimed), zh(computed)) "请按服务时长申报。"
    }
    /// One record over the limit.
    RecordTooLong {
        /// Served, in minutes rounded up.
        minutes: Minutes,
        /// Most for one record.
        max: Minutes,
    } InvalidArgument {
        en("{minutes} served are more than {max}, the most for one record")
            "Check the times; split what really were several services."
        zh("服务了 {}，超过一条记录的上限 {}", zh(minutes), zh(max)) "请核对时间；如果确实是几次服务，请分开登记。"
    }
    /// One person served more on one day than is believed.
    DayLimitExceeded {
        /// Served on that day, in minutes rounded up.
        minutes: Minutes,
        /// The local day, in days since 1970-01-01.
        day: i32,
        /// Most for one day.
        max: Minutes,
    } FailedPrecondition {
        en("with this record {minutes} are served on {}, more than the {max} of a day", Date(i64::from(*day)))
            "Check this and the volunteer's other records of the day."
        zh("加上这条记录，{} 这天共服务 {}，超过一天的上限 {}", Date(i64::from(*day)), zh(minutes), zh(max))
            "请核对这条记录和志愿者当天的其他记录。"
    }
    /// One person can't be in two places.
    ServiceOverlaps {
        /// Place of the record at the same time.
        record: EventRef,
    } FailedPrecondition {
        en("the volunteer already serves at this time: {}", Place::record(*record))
            "Check the times of both; correct the one that is wrong."
        zh("{}已占用志愿者的这段时间", zh(&Place::record(*record))) "请核对两条记录的时间，更正其中错的一条。"
    }
    // Balances.
    /// What a group earns can only be given to a pool.
    GroupGivesOnlyToPools FailedPrecondition {
        en("a group can give only to a pool") "Name a community or district pool as receiver."
        zh("团体只能捐赠给公共池") "请以社区或区县的公共池为收入方。"
    }
    /// The account can't spare what is asked of it.
    BalanceBelowFloor {
        /// What the event takes.
        needed: Minutes,
        /// Balance, less what is held, less the floor.
        available: Minutes,
    } FailedPrecondition {
        en("it takes {needed}, and {available} are available")
            "Take less, release a hold, or let the account earn first."
        zh("需要 {}，而可用的只有 {}", zh(needed), zh(available)) "请减少数额，取消一个预约，或先积累时长。"
    }
    /// The pool for what exceeds the cap isn't open.
    OverflowPoolUnknown FailedPrecondition {
        en("the credit exceeds the cap, and the policy's overflow pool is not open")
            "Open the pool that the policy names."
        zh("记入后超过上限，而规则指定的公共池还没有开户") "请为规则指定的公共池开户。"
    }
    /// No balance leaves 64 bits.
    BalanceOutOfRange InvalidArgument {
        en("a balance would leave the range of 64 bits") "Check the number; it is in minutes."
        zh("余额会超出 64 位的范围") "请核对数字，单位是分钟。"
    }
}

impl Rejection {
    /// The record or hold that stands in the way or is missing; index 0 means the sheet that was refused.
    #[must_use]
    pub fn other(&self) -> Option<EventRef> {
        self.clone().place_mut().copied()
    }

    /// The same, told of a sheet that would have stood at `index`: it was refused, and nothing of it stands anywhere.
    #[must_use]
    pub(super) fn told_within(mut self, index: LogIndex) -> Self {
        if let Some(at) = self.place_mut().filter(|at| at.index == index) {
            at.index = LogIndex(0);
        }
        self
    }

    fn place_mut(&mut self) -> Option<&mut EventRef> {
        if let Self::RecordUnknown { record: at }
        | Self::RecordReversed { record: at }
        | Self::ServiceOverlaps { record: at }
        | Self::HoldUnknown { hold: at }
        | Self::HoldEnded { hold: at }
        | Self::HoldOfOthers { hold: at }
        | Self::HoldRunOut { hold: at, .. }
        | Self::HoldStillRuns { hold: at, .. } = self
        {
            return Some(at);
        }
        None
    }
}

impl std::error::Error for Rejection {}

impl fmt::Display for Rejection {
    /// The sentence, in English.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(Language::English, f)
    }
}
