//! Who reads, and what a read needs of them.

use super::failure::ReadError;

/// Whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Somebody on this machine. As long as nobody shows who they are, these are the only ones who are shown accounts.
    Local,
    /// Anybody at all: shown what is public by design.
    Public,
}

/// What a read needs of its reader. Each names its own in its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Nothing: the checkpoint and the files of the tree are for those who trust nobody.
    Public,
    /// To be on this machine: everything that tells of accounts, and what leads to it.
    Local,
}

impl Reader {
    /// Lets a read go on, or not.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`].
    pub const fn check(self, needed: Permission) -> Result<(), ReadError> {
        match (self, needed) {
            (Self::Local | Self::Public, Permission::Public) | (Self::Local, Permission::Local) => Ok(()),
            (Self::Public, Permission::Local) => Err(ReadError::NotPermitted),
        }
    }

    /// As cursors know a reader: one byte, and for good, as cursors outlive a program.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Local => 1,
            Self::Public => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anybody_is_shown_what_is_public_and_nothing_else() {
        assert!(Reader::Public.check(Permission::Public).is_ok());
        assert!(matches!(Reader::Public.check(Permission::Local), Err(ReadError::NotPermitted)));
        assert!(Reader::Local.check(Permission::Public).is_ok());
        assert!(Reader::Local.check(Permission::Local).is_ok());
    }
}
