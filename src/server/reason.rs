//! Why a call fails that no rule of the ledger refused.

use tonic::Code;

use crate::ledger::{Language, Text};

/// From one list to all that is asked of a reason.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident, $code:ident, $text:expr;)*) => {
        /// The stable `reason` of a failure's `google.rpc.ErrorInfo`. What a rule refuses has the rejection's code there
        /// instead. `proto/README.md`, section 7, says of each what to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them.
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            /// As it stands in `ErrorInfo`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The status code that goes with it. A request that can never be answered is the caller's to mend, also where
            /// gRPC's own servers give another code for it (`INTERNAL` for what they can't decode, `RESOURCE_EXHAUSTED` for
            /// what is too large): those are sent again by clients.
            pub(crate) const fn code(self) -> Code {
                match self { $(Self::$name => Code::$code,)* }
            }

            /// What goes for all failures of its kind, with its name in brackets as rejections have it; a status says more,
            /// in English.
            pub(crate) fn said(self, language: Language) -> String {
                let text = match self { $(Self::$name => $text,)* };
                format!("{} [{}]", text.get(language), self.name())
            }

            /// The reason of a name.
            pub(crate) fn of_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.name() == name)
            }
        }
    };
}

reasons! {
    /// The request isn't protobuf, is another message, or its frame is cut off.
    MessageInvalid, InvalidArgument, Text::new("the request is no message of this method", "请求不是这个方法的消息");
    /// The request is larger than anything that is taken.
    MessageTooLarge, InvalidArgument, Text::new("the request is too large", "请求太大");
    /// `grpc-timeout` isn't as gRPC writes it.
    TimeoutInvalid, InvalidArgument, Text::new(
        "the call's deadline is not written as gRPC writes it",
        "调用的期限不符合 gRPC 的写法",
    );
    /// The request did not come on.
    RequestStalled, DeadlineExceeded, Text::new(
        "the request did not come on in time; send the same again",
        "请求迟迟没有发完；请重发同样的内容",
    );
    /// The connection holds its share.
    ConnectionFull, ResourceExhausted, Text::new(
        "too much is under way on this connection; take its answers, and send the same again",
        "这个连接上待处理的太多；请先取走答复，再重发同样的内容",
    );
    /// All connections together hold what there is.
    ServiceFull, ResourceExhausted, Text::new(
        "too much is under way; send the same again in a moment",
        "待处理的太多；请稍后重发同样的内容",
    );
    /// There is no place for another subscription.
    SubscribersFull, ResourceExhausted, Text::new(
        "as many follow the log as there may be; ask again in a moment",
        "订阅日志的已达上限；请稍后再试",
    );
    /// The request is compressed.
    CompressionUnsupported, Unimplemented, Text::new("messages are taken without compression", "只接受未压缩的消息");
    /// No such method, or no such service.
    MethodUnknown, Unimplemented, Text::new(
        "there is no such method here; reflection lists what there is",
        "这里没有这个方法；可用反射查看全部方法",
    );
    /// A value of a request that can't be; a cursor that is none.
    FieldInvalid, InvalidArgument, Text::new(
        "a value of the request can't be taken: the field is named beside it",
        "请求里有一个值不行：字段名见旁",
    );
    /// The reader is not shown this.
    NotPermitted, PermissionDenied, Text::new(
        "this is shown on the ledger's own machine alone; ask there",
        "这些内容只在账本所在的机器上显示；请在那里查询",
    );
    /// No such account.
    AccountUnknown, NotFound, Text::new(
        "the account does not exist; check its id, or open it first",
        "账户不存在；请核对编号，或先开户",
    );
    /// No such entry yet.
    EntryUnknown, NotFound, Text::new("the log has no such entry yet", "日志里还没有这一条");
    /// The entry has no such event.
    EventUnknown, NotFound, Text::new("the entry has no such event", "这一条里没有这个事件");
    /// The event is neither a service record nor a correction or reversal of one.
    RecordUnknown, NotFound, Text::new(
        "the event is neither a service record nor a correction or reversal of one",
        "这个事件不是服务记录，也不是更正或冲正",
    );
    /// As of an entry that isn't there yet.
    IndexOutOfRange, OutOfRange, Text::new(
        "the log doesn't reach as far yet; ask as of its last entry, or again later",
        "日志还没有到这里；请以最后一条为准查询，或稍后再试",
    );
    /// As of a time before the ledger was.
    TimeOutOfRange, OutOfRange, Text::new("the ledger wasn't there yet at that time", "那时账本还不存在");
    /// `min_index` wasn't recorded while the read waited.
    IndexNotReached, Unavailable, Text::new("the entry isn't recorded yet; ask again", "这一条还没有入账；请稍后再试");
    /// Another digest is being made.
    DigestBusy, ResourceExhausted, Text::new(
        "another digest is being made; ask again in a minute",
        "正在计算另一份摘要；请一分钟后再试",
    );
    /// Too many sheets wait.
    QueueFull, ResourceExhausted, Text::new(
        "too much is waiting to be recorded; send the same sheet again",
        "等待入账的太多；请稍后重发同一张登记单",
    );
    /// The server's clock can't be right.
    ClockImplausible, Unavailable, Text::new("the server's clock can't be right; have it set", "服务器的时钟不可信；请校准");
    /// The service is going down.
    ShuttingDown, Unavailable, Text::new(
        "the service is going down; send the same again when it is back",
        "服务正在停止；恢复之后请重发同样的内容",
    );
    /// The sheet is recorded, and its checkpoint and proof can't be given in time.
    NotPublished, Unavailable, Text::new(
        "the sheet is recorded, but its checkpoint and proof can't be given yet; send the same sheet again for its receipt",
        "这张登记单已经入账，但暂时无法给出检查点和证明；请重发同一张登记单以取得回执",
    );
    /// The call's own deadline passed.
    DeadlineExceeded, DeadlineExceeded, Text::new(
        "the call's deadline passed before the answer was complete; send the same again",
        "答复之前调用已到期限；请重发同样的内容",
    );
    /// The ledger's files failed a reader.
    ReadFailed, Internal, Text::new(
        "the ledger's files could not be read; the operator finds the cause in the log",
        "账本的文件无法读取；管理员可在日志里查看原因",
    );
    /// The answer is larger than what a client takes.
    AnswerTooLarge, Internal, Text::new(
        "the answer is larger than a client takes; ask for less",
        "答复超过客户端能接收的大小；请缩小查询范围",
    );
}
