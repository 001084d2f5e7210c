//! Why a call fails that no rule of the ledger refused.

use tonic::Code;

/// The stable `reason` of a failure's `google.rpc.ErrorInfo`. What a rule refuses has the rejection's code there instead.
/// `proto/README.md`, section 7, says of each what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The request isn't protobuf, is another message, or its frame is cut off.
    MessageInvalid,
    /// The request is larger than anything that is taken.
    MessageTooLarge,
    /// `grpc-timeout` isn't as gRPC writes it.
    TimeoutInvalid,
    /// The request is compressed.
    CompressionUnsupported,
    /// No such method, or no such service.
    MethodUnknown,
    /// A value of a request that can't be; a cursor that is none.
    FieldInvalid,
    /// No such account.
    AccountUnknown,
    /// No such entry yet.
    EntryUnknown,
    /// The entry has no such event.
    EventUnknown,
    /// The event is neither a service record nor a correction or reversal of one.
    RecordUnknown,
    /// As of an entry that isn't there yet.
    IndexOutOfRange,
    /// As of a time before the ledger was.
    TimeOutOfRange,
    /// `min_index` wasn't recorded while the read waited.
    IndexNotReached,
    /// Another digest is being made.
    DigestBusy,
    /// Too many sheets wait.
    QueueFull,
    /// The server's clock can't be right.
    ClockImplausible,
    /// The service is going down.
    ShuttingDown,
    /// The call's own deadline passed.
    DeadlineExceeded,
    /// The ledger's files failed a reader.
    ReadFailed,
    /// The answer is larger than what a client takes.
    AnswerTooLarge,
}

impl Reason {
    /// All of them.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 20] = [
        Self::MessageInvalid,
        Self::MessageTooLarge,
        Self::TimeoutInvalid,
        Self::CompressionUnsupported,
        Self::MethodUnknown,
        Self::FieldInvalid,
        Self::AccountUnknown,
        Self::EntryUnknown,
        Self::EventUnknown,
        Self::RecordUnknown,
        Self::IndexOutOfRange,
        Self::TimeOutOfRange,
        Self::IndexNotReached,
        Self::DigestBusy,
        Self::QueueFull,
        Self::ClockImplausible,
        Self::ShuttingDown,
        Self::DeadlineExceeded,
        Self::ReadFailed,
        Self::AnswerTooLarge,
    ];

    /// As it stands in `ErrorInfo`.
    pub(crate) const fn name(self) -> &'static str {
        self.row().0
    }

    /// The status code that goes with it.
    pub(crate) const fn code(self) -> Code {
        self.row().1
    }

    /// A request that can never be answered is the caller's to mend, also where gRPC's own servers give another code for
    /// it (`INTERNAL` for what they can't decode, `RESOURCE_EXHAUSTED` for what is too large): those are sent again by clients.
    const fn row(self) -> (&'static str, Code) {
        match self {
            Self::MessageInvalid => ("MessageInvalid", Code::InvalidArgument),
            Self::MessageTooLarge => ("MessageTooLarge", Code::InvalidArgument),
            Self::TimeoutInvalid => ("TimeoutInvalid", Code::InvalidArgument),
            Self::CompressionUnsupported => ("CompressionUnsupported", Code::Unimplemented),
            Self::MethodUnknown => ("MethodUnknown", Code::Unimplemented),
            Self::FieldInvalid => ("FieldInvalid", Code::InvalidArgument),
            Self::AccountUnknown => ("AccountUnknown", Code::NotFound),
            Self::EntryUnknown => ("EntryUnknown", Code::NotFound),
            Self::EventUnknown => ("EventUnknown", Code::NotFound),
            Self::RecordUnknown => ("RecordUnknown", Code::NotFound),
            Self::IndexOutOfRange => ("IndexOutOfRange", Code::OutOfRange),
            Self::TimeOutOfRange => ("TimeOutOfRange", Code::OutOfRange),
            Self::IndexNotReached => ("IndexNotReached", Code::Unavailable),
            Self::DigestBusy => ("DigestBusy", Code::ResourceExhausted),
            Self::QueueFull => ("QueueFull", Code::ResourceExhausted),
            Self::ClockImplausible => ("ClockImplausible", Code::Unavailable),
            Self::ShuttingDown => ("ShuttingDown", Code::Unavailable),
            Self::DeadlineExceeded => ("DeadlineExceeded", Code::DeadlineExceeded),
            Self::ReadFailed => ("ReadFailed", Code::Internal),
            Self::AnswerTooLarge => ("AnswerTooLarge", Code::Internal),
        }
    }
}
