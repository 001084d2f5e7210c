//! From one list of rules to all that is asked of a rejection.

/// Codes of gRPC that a rejection can have, with their numbers in `google.rpc.Code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusCode {
    /// Wrong whatever the ledger holds.
    InvalidArgument = 3,
    /// What it refers to isn't there.
    NotFound = 5,
    /// What it would create is there.
    AlreadyExists = 6,
    /// Whoever signed may not do it.
    PermissionDenied = 7,
    /// The ledger isn't in a state that allows it.
    FailedPrecondition = 9,
    /// Nobody knows who signed.
    Unauthenticated = 16,
}

impl StatusCode {
    /// The number in `google.rpc.Code`.
    #[must_use]
    #[allow(clippy::as_conversions, reason = "the numbers are declared")]
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// Makes the enum of rejections and what each answers, so that a rule stands in one place: none can be without a code, a
/// status, a sentence or a remedy in each language, and the order of the list is the order of precedence.
macro_rules! rejections {
    ($(
        $(#[$doc:meta])*
        $name:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })? $status:ident {
            en($($en:tt)*) $en_remedy:literal
            zh($($zh:tt)*) $zh_remedy:literal
        }
    )*) => {
        /// A rule said no. Declared in order of precedence: of several rules that one event breaks, the first in this list is
        /// reported; and so for what a sheet is refused for as a whole. The door, which sees bytes and no ledger, comes
        /// first: there the header and the number of events, then the events one after another, then what holds them
        /// together, from signatures to possession proofs. Then comes the sheet as a whole, then its events, of which the
        /// first that is refused is reported. Everything up to `KeyIsRevoked` is about the sheet, the rest about an event.
        /// A rule counts as broken where what it asks about is there: nobody can tell whose an account is that doesn't exist.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Rejection {
            $($(#[$doc])* $name $({ $($(#[$field_doc])* $field: $type,)* })?,)*
        }

        /// The place of each in the list.
        enum Rank { $($name,)* }

        impl Rejection {
            /// Every code, in order of precedence.
            pub const CODES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// The status of each, in the same order.
            pub const STATUSES: &'static [StatusCode] = &[$(StatusCode::$status,)*];

            /// The stable code: the variant's name.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$name { .. } => stringify!($name),)* }
            }

            /// Its place in the order of precedence, from 0.
            #[must_use]
            #[allow(clippy::as_conversions, reason = "a number below that of the variants")]
            pub const fn rank(&self) -> usize {
                match self { $(Self::$name { .. } => Rank::$name as usize,)* }
            }

            /// How gRPC tells it.
            #[must_use]
            pub const fn status(&self) -> StatusCode {
                match self { $(Self::$name { .. } => StatusCode::$status,)* }
            }

            /// What to do next.
            #[must_use]
            pub const fn remedy(&self) -> Text {
                match self { $(Self::$name { .. } => Text::new($en_remedy, $zh_remedy),)* }
            }
        }

        impl Say for Rejection {
            /// The sentence, without its full stop.
            fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match (language, self) {
                    $((Language::English, Self::$name $({ $($field,)* })?) => write!(f, $($en)*),)*
                    $((Language::Chinese, Self::$name $({ $($field,)* })?) => write!(f, $($zh)*),)*
                }
            }
        }
    };
}

pub(super) use rejections;
