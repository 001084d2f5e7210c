//! Accounts by what people type of their ids.

use std::sync::Arc;

use tonic::Status;

use super::{
    Service,
    messages::account_message,
    status::{invalid, unfinished},
};
use crate::{
    format::proto,
    ledger::{AccountId, AccountNumber},
};

/// Digits of an id that accounts are found by: 6 tell 16 million apart, 32 are the whole id.
const FIND_DIGITS_MIN: usize = 6;
const FIND_DIGITS_MAX: usize = 32;
/// Accounts that are found at most: whoever is shown as many types another digit.
const FOUND_MAX: usize = 10;

/// Whether an id begins with these lowercase hex digits.
fn begins_with(id: AccountId, digits: &str) -> bool {
    let digit = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'a' + 10 };
    let halves = id.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.bytes().map(digit).eq(halves.take(digits.len()))
}

impl Service {
    /// Accounts whose ids begin with what somebody typed of one. All ids of one version are looked at.
    pub(super) async fn accounts_beginning_with(
        &self,
        request: proto::FindAccountsRequest,
    ) -> Result<proto::FindAccountsResponse, Status> {
        let digits = &request.prefix;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !(FIND_DIGITS_MIN..=FIND_DIGITS_MAX).contains(&digits.len()) || !is_hex {
            return Err(invalid("prefix", "6 to 32 hex digits"));
        }
        let permit = Arc::clone(&self.searches).acquire_owned().await;
        let (projection, prefix) = (Arc::clone(&self.node.projection), digits.to_ascii_lowercase());
        let search = move || {
            // Given back when the search is over, not when whoever asked is gone.
            let _permit = permit;
            let version = projection.shown().version().clone();
            let all = (0..version.accounts().len()).map(AccountNumber);
            let fits =
                |number: &AccountNumber| version.accounts().id(*number).is_some_and(|id| begins_with(id, &prefix));
            let found: Vec<AccountNumber> = all.filter(fits).take(FOUND_MAX + 1).collect();
            // What is on them is told as of one moment.
            let shown = projection.shown();
            proto::FindAccountsResponse {
                accounts: found.iter().take(FOUND_MAX).filter_map(|number| account_message(&shown, *number)).collect(),
                more: found.len() > FOUND_MAX,
                reflected_index: shown.reflected_index(),
            }
        };
        tokio::task::spawn_blocking(search).await.map_err(|ended| unfinished(&ended))
    }
}
