//! Digests for auditors.

use tonic::Status;

use super::{
    Service,
    read::beyond,
    reason::Reason,
    status::{ReadFailure, failure, invalid, unfinished},
};
use crate::{
    engine::projection::digest::{AccountDigest, RANGE_ACCOUNTS, range_digest},
    format::proto,
};

impl Service {
    /// Reads every posting row once: one caller at a time.
    pub(super) async fn state_digest(
        &self,
        request: proto::GetStateDigestRequest,
    ) -> Result<proto::GetStateDigestResponse, Status> {
        let reflected = self.node.projection.shown().reflected_index();
        let at_index = request.at_index.unwrap_or(reflected);
        if at_index > reflected {
            return Err(failure(Reason::IndexOutOfRange, "at_index", &beyond(at_index, reflected)));
        }
        let busy = |_| {
            let message = "another digest is being made; ask again in a minute";
            failure(Reason::DigestBusy, "", message)
        };
        let permit = std::sync::Arc::clone(&self.digests).try_acquire_owned().map_err(busy)?;
        let projection = std::sync::Arc::clone(&self.node.projection);
        let read = move || {
            // Given back when the read is over, not when whoever asked is gone.
            let _permit = permit;
            projection.account_digests(at_index)
        };
        let read = tokio::task::spawn_blocking(read).await.map_err(|ended| unfinished(&ended))?;
        let digests = read.map_err(ReadFailure::from)?;
        let ranges: Vec<&[AccountDigest]> = digests.chunks(RANGE_ACCOUNTS).collect();
        let account_digests = match request.range {
            None => Vec::new(),
            Some(range) => {
                let range = usize::try_from(range).ok().and_then(|range| ranges.get(range));
                let accounts = range.ok_or_else(|| invalid("range", "a range that there is, from 0"))?;
                accounts.iter().map(message).collect()
            }
        };
        Ok(proto::GetStateDigestResponse {
            reflected_index: at_index,
            accounts: digests.len() as u64,
            range_digests: ranges.into_iter().map(|range| range_digest(range).to_vec().into()).collect(),
            account_digests,
        })
    }
}

fn message(digest: &AccountDigest) -> proto::AccountDigest {
    proto::AccountDigest {
        account: digest.account.0.to_vec().into(),
        postings: digest.postings,
        history_digest: digest.history.to_vec().into(),
    }
}
