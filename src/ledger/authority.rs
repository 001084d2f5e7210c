//! Who may do what, decided from the signers and the state alone.

use super::{
    account::{AccountKind, Key, KeyRole},
    rejection::Rejection,
    units::AccountNumber,
    version::Version,
};

/// The signers of a sheet, as the rules ask about them.
#[derive(Clone, Copy)]
pub(super) struct Signers<'a>(pub(super) &'a [Key]);

impl Signers<'_> {
    /// One of them runs the ledger.
    pub(super) fn operator(self) -> bool {
        self.0.iter().any(|key| key.role == KeyRole::Operator)
    }

    /// One of them is staff of this station.
    pub(super) fn staff_of(self, station: AccountNumber) -> bool {
        self.0.iter().any(|key| key.role == KeyRole::Staff && key.account == Some(station))
    }

    /// One of them owns this account.
    pub(super) fn owner_of(self, account: AccountNumber) -> bool {
        self.0.iter().any(|key| key.role == KeyRole::Resident && key.account == Some(account))
    }

    /// One of them is the ledger's service key.
    pub(super) fn service(self) -> bool {
        self.0.iter().any(|key| key.role == KeyRole::Service)
    }

    /// One of them is staff of some station, or an operator.
    pub(super) fn organiser(self) -> bool {
        self.0.iter().any(|key| matches!(key.role, KeyRole::Operator | KeyRole::Staff))
    }

    /// One of them is this key.
    pub(super) fn includes(self, id: super::units::KeyId) -> bool {
        self.0.iter().any(|key| key.id == id)
    }

    /// Nobody credits their own account: neither one that a signer's key acts for, nor one that is a signer's own.
    pub(super) fn refuse_self_dealing(self, credited: AccountNumber) -> Result<(), Rejection> {
        let own = |key: &Key| {
            key.own_account == Some(credited) || (key.role == KeyRole::Resident && key.account == Some(credited))
        };
        if self.0.iter().any(own) { Err(Rejection::SelfDealing) } else { Ok(()) }
    }
}

impl Version {
    /// Whether the signers may take minutes from an account: its owner from a personal one; its station's staff from a
    /// group or station; staff of the same region from a community pool; operators from everything that isn't personal.
    pub(super) fn may_debit(&self, signers: Signers<'_>, number: AccountNumber) -> bool {
        let Some(account) = self.identity(number) else { return false };
        let station_staff = account.station.is_some_and(|station| signers.staff_of(station));
        match account.kind {
            AccountKind::Resident | AccountKind::Household => signers.owner_of(number),
            AccountKind::Group => signers.owner_of(number) || station_staff || signers.operator(),
            AccountKind::Station => signers.staff_of(number) || signers.operator(),
            AccountKind::CommunityPool => self.staff_in_region(signers, account.region) || signers.operator(),
            AccountKind::DistrictPool | AccountKind::Issuance => signers.operator(),
        }
    }

    fn staff_in_region(&self, signers: Signers<'_>, region: Option<u32>) -> bool {
        let station_region = |key: &Key| self.identity(key.account?)?.region;
        region.is_some() && signers.0.iter().any(|key| key.role == KeyRole::Staff && station_region(key) == region)
    }
}
