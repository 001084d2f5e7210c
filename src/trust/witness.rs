//! A witness as a service: what it keeps, and its HTTP interface.

mod folder;
mod http;
mod places;

pub use self::{
    folder::{AddError, WitnessFolder, WitnessOpenError},
    http::run,
};
