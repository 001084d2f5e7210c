//! Rows of which it can't be told what the ledger is to have, before any account is opened for them.

use super::{Chunk, Planner};
use crate::{
    engine::store::StoreError,
    format::proto,
    ledger::AccountId,
    people::{
        calendar::date_of_days,
        import::{
            ByHandChanges,
            accounts::{Found, Party},
            mapping::Field,
            outcome::{Notice, Rejected, RowOutcome},
            row::Wanted,
            standing::{ByHand, Stands, date, digest},
        },
    },
};

impl Planner<'_> {
    /// What becomes of a row where it can't be told what the ledger is to have, before any account is opened for it: its record
    /// was changed by hand while the row stayed as it was, or the row is another record's.
    pub(super) fn unsettled(
        &mut self,
        record: &str,
        wanted: &Wanted,
        number: usize,
        chunk: &mut Chunk,
    ) -> Result<Option<RowOutcome>, StoreError> {
        let Some(stands) = self.standings.get(record).filter(|_| self.of_this_import(record).is_none()) else {
            return Ok(None);
        };
        let Some(link) = self.directory.record(record)?.filter(|link| !link.reversed) else { return Ok(None) };
        let Ok(credited) = self.credit(wanted) else { return Ok(None) };
        let known = |party, name| -> Result<Option<AccountId>, StoreError> {
            Ok(match self.known(party, name)? {
                Found::Account(account) => Some(account),
                Found::Nobody | Found::Unclear(_) => None,
            })
        };
        let volunteer = known(Party::Volunteer, &wanted.volunteer)?;
        let station = known(Party::Station, &wanted.station)?;
        // Somebody who has no account yet is none of those that records credit.
        let nobody = AccountId([0; 16]);
        let service = self.service(wanted, volunteer.unwrap_or(nobody), station.unwrap_or(nobody), credited);
        let now = digest(&service);
        let what = match &stands.by_hand {
            ByHand::Nothing if now == link.digest => {
                // As it was: what most rows of most imports are.
                return Ok((link.source_us == wanted.source_us).then_some(RowOutcome::Unchanged));
            }
            ByHand::Corrected(digest, _) if *digest == now => return Ok(None),
            ByHand::Nothing => None,
            ByHand::Corrected(..) => Some("was corrected in the ledger, by hand"),
            ByHand::Reversed => Some("was taken back in the ledger, by hand"),
            ByHand::Missing => Some("is not in this ledger, which was restored to an earlier state"),
        };
        let place = link.record;
        let Some(what) = what.filter(|_| now == link.digest) else {
            // The row says something new: that is what the ledger is to have.
            let rejected = self.renumbered(record, &service, stands).map(RowOutcome::Rejected);
            if let Some(what) = what.filter(|_| rejected.is_none()) {
                chunk.notices.push(Notice { item: number, text: format!("its record {place} {what}"), other: None });
            }
            return Ok(rejected);
        };
        Ok(match self.options.by_hand {
            ByHandChanges::Mend => self.renumbered(record, &service, stands).map(RowOutcome::Rejected),
            ByHandChanges::Leave => {
                chunk.notices.push(Notice { item: number, text: format!("its record {place} {what}"), other: None });
                Some(RowOutcome::Unchanged)
            }
            ByHandChanges::Tell => Some(RowOutcome::Rejected(Rejected::row(format!(
                "its record {place} {what}, and the row says what it said before. Set the row right; or have the ledger follow \
                 the rows with --by-hand mend, or let it stand with --by-hand leave"
            )))),
        })
    }

    /// Why a correction is another record's: whoever numbers rows anew each month gives old numbers to new services.
    pub(super) fn renumbered(&self, record: &str, service: &proto::Service, stands: &Stands) -> Option<Rejected> {
        let (now, before) = (date(service), stands.date);
        let is_same = stands.volunteer == service.volunteer || now == before;
        let is_gone = matches!(stands.by_hand, ByHand::Missing);
        if self.options.renumbered || self.mapping.is_of_operations() || is_same || is_gone {
            return None;
        }
        let column = self.table.name(Field::Record);
        let (now, before) = (date_of_days(now), date_of_days(before));
        Some(Rejected::row(format!(
            "{column}: {record:?} is in the ledger already, as a service of another volunteer on another date ({before}, not {now}), \
             so this looks like a numbering that began anew. Name more columns in the mapping, as record = [\"{column}\", ...] with \
             the date's, or give these rows a `source` of their own with accounts_of = {:?}; if the row really is that record, say \
             --renumbered",
            self.mapping.source
        )))
    }
}
